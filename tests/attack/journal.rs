//! What the model knows without asking the crate: which keys exist for sure, and which write came after which.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// One attack phase's knowledge. Its time is a counter, so that two sessions agree on what came first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    clock: AtomicI64,
    lives: Mutex<HashMap<i32, Life>>,
    writes: Mutex<Vec<Write>>,
}

/// What is known of a key that comes and goes.
#[derive(Debug, Default)]
struct Life {
    exists: bool,
    /// When the change that led here was made, while its row was locked: later ones count more, whoever reports first.
    changed: i64,
    /// When it was known to be committed.
    since: i64,
    /// Transactions that may be about to change it.
    in_flight: usize,
}

/// A committed write of a row: the version that it found under its lock, and the one that it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Write {
    pub(crate) key: i32,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// What a transaction does to a key, said before it begins and settled when it has ended.
#[derive(Debug)]
#[must_use = "a change is settled or undone"]
pub(crate) struct Change {
    pub(crate) key: i32,
    /// Whether the key exists afterwards, and when that was decided; nothing if it was not changed.
    pub(crate) decided: Option<(bool, i64)>,
}

impl Journal {
    pub(crate) fn with_keys(existing: impl IntoIterator<Item = i32>) -> Self {
        let journal = Self::default();
        journal.tick();
        let lives = existing.into_iter().map(|key| (key, Life { exists: true, ..Life::default() }));
        journal.lives().extend(lives);
        journal
    }

    /// The next moment. Also a version that no other write has.
    pub(crate) fn tick(&self) -> i64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn begin(&self, key: i32) -> Change {
        self.lives().entry(key).or_default().in_flight += 1;
        Change { key, decided: None }
    }

    /// The transaction has ended, committed or not.
    pub(crate) fn settle(&self, change: &Change, committed: bool) {
        let since = self.tick();
        let mut lives = self.lives();
        let life = lives.entry(change.key).or_default();
        life.in_flight -= 1;
        if let Some((exists, changed)) = change.decided.filter(|(_, changed)| committed && *changed > life.changed) {
            *life = Life { exists, changed, since, in_flight: life.in_flight };
        }
    }

    /// Whether the key has existed, or has not, ever since `moment`; nothing if that is not known.
    pub(crate) fn existence_since(&self, key: i32, moment: i64) -> Option<bool> {
        let lives = self.lives();
        let Some(life) = lives.get(&key) else { return Some(false) };
        (life.in_flight == 0 && life.since < moment).then_some(life.exists)
    }

    pub(crate) fn committed(&self, writes: impl IntoIterator<Item = Write>) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).extend(writes);
    }

    /// Pairs of writes that did not know of each other: both found the same version.
    pub(crate) fn lost_writes(&self) -> Vec<(Write, Write)> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut first = HashMap::new();
        let twice = writes.iter().filter_map(|write| {
            let earlier = first.insert((write.key, write.before), *write)?;
            Some((earlier, *write))
        });
        twice.collect()
    }

    /// Whether this is how the last write left the row: known, and found by no other.
    pub(crate) fn is_last(&self, key: i32, version: i64) -> bool {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut left, mut found) = (version == 0, false);
        for write in writes.iter().filter(|write| write.key == key) {
            left |= write.after == version;
            found |= write.before == version;
        }
        left && !found
    }

    fn lives(&self) -> MutexGuard<'_, HashMap<i32, Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, Write};

    #[test]
    fn a_key_is_known_when_nobody_is_about_to_change_it() {
        let journal = Journal::with_keys([1]);
        let before = journal.tick();
        assert_eq!((journal.existence_since(1, before), journal.existence_since(2, before)), (Some(true), Some(false)));
        let mut change = journal.begin(1);
        assert_eq!(journal.existence_since(1, before), None);
        change.decided = Some((false, journal.tick()));
        journal.settle(&change, true);
        assert_eq!(journal.existence_since(1, before), None);
        assert_eq!(journal.existence_since(1, journal.tick()), Some(false));
    }

    #[test]
    fn who_reports_late_does_not_undo_what_came_after() {
        let journal = Journal::with_keys([1]);
        let (mut gone, mut back) = (journal.begin(1), journal.begin(1));
        gone.decided = Some((false, journal.tick()));
        back.decided = Some((true, journal.tick()));
        journal.settle(&back, true);
        journal.settle(&gone, true);
        assert_eq!(journal.existence_since(1, journal.tick()), Some(true));
    }

    #[test]
    fn two_writes_of_one_version_are_found() {
        let journal = Journal::default();
        let write = |before, after| Write { key: 1, before, after };
        journal.committed([write(0, 1), write(1, 2)]);
        assert!(journal.lost_writes().is_empty());
        assert_eq!([0, 1, 2, 3].map(|version| journal.is_last(1, version)), [false, false, true, false]);
        journal.committed([write(1, 3)]);
        assert_eq!(journal.lost_writes(), [(write(1, 2), write(1, 3))]);
    }
}
