//! What one model found, for a backend that resolves queries to keys first and then locks by key.

use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
    vec,
};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSqlRow},
};

use super::{choice::Shape, found::FoundRows, key_list::Rank};
use crate::{diesel_internals::RowRef, lockable::Lockable};

/// What a statement says about a row besides its columns.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Query `.0` chooses the row. Nothing is locked by that.
    Chosen(usize),
    /// The row is locked. Was it asked for by key, and which of the queries that were asked under the lock does it match?
    Locked { asked: bool, matches: Vec<usize> },
    /// The row is locked, and matches query `.0`.
    Matches(usize),
    /// The row exists, and could not be locked without waiting.
    Busy,
    /// The row is locked, picked out of query 0. Is it known to match it under the lock?
    Picked { matches: bool },
    /// A row that is locked, as it is after a change.
    Changed,
}

/// Where a key may stand in other words.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    Held,
    Busy,
}

/// The side of a part that keys and rows are read into.
#[doc(hidden)]
pub trait Resolved<DB: Backend>: Send {
    fn read(&mut self, row: &RowRef<'_, DB>, seen: Seen) -> deserialize::Result<()>;

    /// Query `query` is about to be asked which rows it chooses.
    fn ask(&mut self, query: usize);

    /// Whether a row that query `query` chose turned out not to match it, or to be gone.
    fn lost(&self, query: usize) -> bool;
}

pub(crate) struct ResolvedOf<T: Lockable, ST> {
    /// To be locked next; those asked for by key come first. A key may stand here twice.
    candidates: Vec<T::Key>,
    /// How many of the candidates were asked for by key.
    asked: usize,
    queries: Vec<Query<T::Key>>,
    held: Vec<Held<T>>,
    /// The keys of those, if there are queries.
    held_keys: HashSet<T::Key>,
    busy: Vec<T::Key>,
    busy_keys: HashSet<T::Key>,
    /// Keys that were asked for and that are those of locked or busy rows, to the server and not to Rust: "ada" of "Ada".
    same: HashMap<T::Key, T::Key>,
    /// Those busy rows.
    busy_asked: HashSet<T::Key>,
    /// Rows that are locked, as they are after a change.
    changed: HashMap<T::Key, T>,
    /// What the next statements are about, as many keys at a time as go into one.
    queue: vec::IntoIter<T::Key>,
    /// How many rows the server found by a key that was asked for.
    found: usize,
    marker: PhantomData<fn() -> ST>,
}

struct Query<K> {
    limited: bool,
    /// What it has ever chosen.
    chosen: HashSet<K>,
    /// What it chose when it was last asked.
    now: HashSet<K>,
    /// What matched it under the lock.
    matches: HashSet<K>,
}

struct Held<T> {
    row: T,
    asked: bool,
}

impl<T: Lockable, ST> ResolvedOf<T, ST> {
    /// The keys that were asked for are the first to be locked.
    pub(super) fn new(asked: &[T::Key], shapes: &[Shape]) -> Self {
        let query = |shape: &Shape| Query {
            limited: shape.limited,
            chosen: HashSet::new(),
            now: HashSet::new(),
            matches: HashSet::new(),
        };
        ResolvedOf {
            candidates: asked.to_vec(),
            asked: asked.len(),
            queries: shapes.iter().map(query).collect(),
            held: Vec::with_capacity(asked.len()),
            held_keys: HashSet::new(),
            busy: Vec::new(),
            busy_keys: HashSet::new(),
            same: HashMap::new(),
            busy_asked: HashSet::new(),
            changed: HashMap::new(),
            queue: Vec::new().into_iter(),
            found: 0,
            marker: PhantomData,
        }
    }

    pub(super) fn candidates(&self) -> &[T::Key] {
        &self.candidates
    }

    /// The candidates at these places, and those among them that were asked for by key.
    pub(super) fn at(&self, places: &[usize]) -> (Vec<T::Key>, Vec<T::Key>) {
        let key = |place: &usize| self.candidates[*place].clone();
        let asked = places.iter().filter(|place| **place < self.asked).map(key);
        (places.iter().map(key).collect(), asked.collect())
    }

    /// All candidates have had their chance.
    pub(super) fn forget_candidates(&mut self) {
        self.candidates.clear();
        self.asked = 0;
    }

    pub(super) fn queue(&mut self, keys: Vec<T::Key>) {
        self.queue = keys.into_iter();
    }

    /// The next of the queue, up to `most`.
    pub(super) fn next(&mut self, most: usize) -> Vec<T::Key> {
        self.queue.by_ref().take(most).collect()
    }

    /// The rows that query `query` chose and that are locked.
    pub(super) fn to_check(&self, query: usize) -> Vec<T::Key> {
        let chosen = &self.queries[query].chosen;
        self.held.iter().map(|held| held.row.lock_key()).filter(|key| chosen.contains(key)).collect()
    }

    /// The rows that query `query` chose and that do not match it, or are gone.
    pub(super) fn lost_to(&self, query: usize) -> Vec<T::Key> {
        let Query { chosen, matches, .. } = &self.queries[query];
        chosen.iter().filter(|key| !matches.contains(*key) && !self.busy_keys.contains(*key)).cloned().collect()
    }

    /// What was to be locked and is not.
    pub(super) fn absent(&self, asked: &[T::Key]) -> Vec<T::Key> {
        let mut absent = self.missing(asked);
        let mut seen: HashSet<_> = asked.iter().collect();
        let chosen = self.candidates.iter().filter(|key| !self.held_keys.contains(*key));
        absent.extend(chosen.filter(|key| seen.insert(*key)).cloned());
        absent
    }

    /// What was asked for and not found. As many rows as keys are enough: the server may hold keys for equal that Rust does
    /// not.
    fn missing(&self, asked: &[T::Key]) -> Vec<T::Key> {
        if asked.len() == self.found {
            return Vec::new();
        }
        let mut distinct = HashSet::new();
        let asked: Vec<_> = asked.iter().filter(|key| distinct.insert(*key)).collect();
        if asked.len() == self.found {
            return Vec::new();
        }
        let held: HashSet<_> = self.held.iter().map(|held| held.row.lock_key()).collect();
        asked.into_iter().filter(|key| !held.contains(*key) && !self.same.contains_key(*key)).cloned().collect()
    }

    /// The keys that were asked for and not found, if there are any, and those of the rows that they may be in other words.
    pub(super) fn doubtful(&self, asked: &[T::Key], among: Among) -> Vec<T::Key> {
        let mut doubtful = self.unknown(asked);
        let known = match among {
            Among::Held => self.held_keys(),
            Among::Busy => self.busy.clone(),
        };
        if doubtful.is_empty() || known.is_empty() {
            return Vec::new();
        }
        doubtful.extend(known);
        doubtful
    }

    /// The server has the same rank for those of the doubtful keys that are the same to it.
    pub(super) fn tell_same(&mut self, asked: &[T::Key], among: Among, ranks: &[(usize, i64)]) {
        let (doubtful, first_known) = (self.doubtful(asked, among), self.unknown(asked).len());
        let (known, unknown): (Vec<_>, Vec<_>) = ranks.iter().partition(|(number, _)| *number >= first_known);
        let known: HashMap<i64, usize> = known.into_iter().map(|(number, rank)| (rank, number)).collect();
        for (number, rank) in unknown {
            let (Some(key), Some(row)) = (doubtful.get(number), known.get(&rank).and_then(|row| doubtful.get(*row)))
            else {
                continue;
            };
            self.same.insert(key.clone(), row.clone());
            if among == Among::Busy {
                self.busy_asked.insert(row.clone());
            }
        }
    }

    /// Whatever the number of rows says: the caller may look a row up in the words in which it was asked for.
    fn unknown(&self, asked: &[T::Key]) -> Vec<T::Key> {
        let held: HashSet<_> = self.held.iter().map(|held| held.row.lock_key()).collect();
        let known = |key: &T::Key| held.contains(key) || self.busy_keys.contains(key) || self.same.contains_key(key);
        let mut distinct = HashSet::new();
        asked.iter().filter(|key| !known(key) && distinct.insert(*key)).cloned().collect()
    }

    /// Forgets what was picked, but not which rows turned out not to match.
    pub(super) fn pick_anew(&mut self) {
        self.held.clear();
    }

    /// Drops what was picked and does not match; whether there was any.
    pub(super) fn drop_unmatched(&mut self) -> bool {
        let (before, matches) = (self.held.len(), &self.queries[0].matches);
        self.held.retain(|held| matches.contains(&held.row.lock_key()));
        self.held.len() < before
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// How many of them were read again, each counted once.
    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// Whether each of them was read again under the key that it had.
    pub(super) fn all_changed(&self) -> bool {
        self.held.iter().all(|held| self.changed.contains_key(&held.row.lock_key()))
    }

    /// The keys of the rows that are locked, each once: a join may repeat a row.
    pub(super) fn held_keys(&self) -> Vec<T::Key> {
        let mut seen = HashSet::new();
        self.held.iter().map(|held| held.row.lock_key()).filter(|key| seen.insert(key.clone())).collect()
    }

    pub(super) fn busy(&self) -> &[T::Key] {
        &self.busy
    }

    /// Puts rows that were locked late in their place, where Rust knows it.
    pub(super) fn sort(&mut self, ranks: impl Fn(&[T::Key]) -> Option<Vec<Rank>>) {
        let keys: Vec<_> = self.held.iter().map(|held| held.row.lock_key()).collect();
        if let Some(ranks) = ranks(&keys) {
            let mut ranked: Vec<_> = ranks.into_iter().zip(std::mem::take(&mut self.held)).collect();
            ranked.sort_by(|(a, _), (b, _)| a.cmp(b));
            self.held = ranked.into_iter().map(|(_, held)| held).collect();
        }
    }

    /// The rows that are an answer.
    pub(super) fn finish(self, asked: &[T::Key]) -> FoundRows<T> {
        let mut missing = self.missing(asked);
        let ResolvedOf { queries, held, busy, busy_keys, busy_asked, same, mut changed, .. } = self;
        missing.retain(|key| !busy_keys.contains(key));
        let asked: HashSet<_> = if busy.is_empty() { HashSet::new() } else { asked.iter().collect() };
        let skipped = busy.into_iter().filter(|key| asked.contains(key) || busy_asked.contains(key)).collect();
        let chosen = |row: &T| {
            let key = row.lock_key();
            queries.iter().any(|Query { limited, chosen, now, matches }| {
                matches.contains(&key) && if *limited { now } else { chosen }.contains(&key)
            })
        };
        let held = held.into_iter().filter(|held| held.asked || chosen(&held.row)).map(|held| held.row);
        let as_changed = |row: T| if changed.is_empty() { row } else { changed.remove(&row.lock_key()).unwrap_or(row) };
        FoundRows::new(held.map(as_changed).collect(), missing, skipped, same)
    }

    fn take(&mut self, row: T, seen: Seen) {
        match seen {
            Seen::Chosen(query) => {
                let key = row.lock_key();
                let query = &mut self.queries[query];
                query.now.insert(key.clone());
                if query.chosen.insert(key.clone()) && !self.held_keys.contains(&key) {
                    self.candidates.push(key);
                }
            }
            Seen::Locked { asked, matches } => {
                self.found += usize::from(asked);
                if !self.queries.is_empty() {
                    let key = row.lock_key();
                    for query in matches {
                        self.queries[query].matches.insert(key.clone());
                    }
                    self.held_keys.insert(key);
                }
                self.held.push(Held { row, asked });
            }
            Seen::Matches(query) => {
                self.queries[query].matches.insert(row.lock_key());
            }
            Seen::Busy => {
                let key = row.lock_key();
                if self.busy_keys.insert(key.clone()) {
                    self.busy.push(key);
                }
            }
            Seen::Picked { matches } => {
                self.queries[0].chosen.insert(row.lock_key());
                if matches {
                    self.queries[0].matches.insert(row.lock_key());
                }
                self.held.push(Held { row, asked: true });
            }
            Seen::Changed => {
                self.changed.insert(row.lock_key(), row);
            }
        }
    }
}

impl<T, ST, DB> Resolved<DB> for ResolvedOf<T, ST>
where
    DB: Backend,
    T: Lockable + FromSqlRow<ST, DB>,
{
    fn read(&mut self, row: &RowRef<'_, DB>, seen: Seen) -> deserialize::Result<()> {
        self.take(T::build_from_row(row)?, seen);
        Ok(())
    }

    fn ask(&mut self, query: usize) {
        self.queries[query].now.clear();
    }

    fn lost(&self, query: usize) -> bool {
        let Query { chosen, matches, .. } = &self.queries[query];
        chosen.iter().any(|key| !matches.contains(key))
    }
}
