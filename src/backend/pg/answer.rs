//! What the statements have told about the rows of one model, as sets of numbers.

use std::collections::HashMap;

use crate::sql::{Answer, RowId, RowSet};

/// What has become of the rows of one model.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Locked, and the answer, in the order of the key.
    rows: Vec<RowId>,
    /// Locked, and not the answer.
    others: Vec<RowId>,
    /// Wanted, whatever a query says later.
    firm: Vec<RowId>,
    /// A query without a limit chose them, and must be asked again whether it still does.
    doubtful: Vec<RowId>,
    /// A query with a limit must be asked again.
    moved: bool,
    /// Wanted by the last look, and not locked.
    unheld: Vec<RowId>,
    /// Locked by the last lock of such rows.
    more: Vec<RowId>,
    skipped: Vec<RowId>,
    unlockable: Vec<RowId>,
    /// Keys that were asked for and are not those of rows to Rust.
    unknown: Vec<RowId>,
    /// The rows, and what was skipped, while the server is asked about them.
    known: RowSet,
    /// Such keys, and the row that the server knows by them.
    same: HashMap<RowId, RowId>,
    /// For each group of queries: how many rows it chose, how many of them came.
    counts: [(i64, i64); 2],
    /// Rows were chosen, and none came.
    lost: bool,
    looked: bool,
    /// The rows are all that were read, as they came.
    as_read: bool,
    /// Keys that were asked for, exist, can be locked, and are not.
    there: Vec<RowId>,
    /// Rows came after the first statement, at the end.
    late: bool,
    /// How many rows were asked for by key, as far as only the server compared.
    by_key: Option<usize>,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome {
            rows: Vec::new(),
            others: Vec::new(),
            firm: Vec::new(),
            doubtful: Vec::new(),
            moved: false,
            unheld: Vec::new(),
            more: Vec::new(),
            skipped: Vec::new(),
            unlockable: Vec::new(),
            unknown: Vec::new(),
            known: RowSet::default(),
            same: HashMap::new(),
            counts: [(0, 0); 2],
            lost: false,
            looked: false,
            as_read: true,
            there: Vec::new(),
            late: false,
            by_key: Some(0),
        }
    }
}

/// Why the first statement locked a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reasons {
    /// It was asked for by key.
    pub(super) asked: bool,
    /// A query without a limit chose it, and it did not change between choice and lock.
    pub(super) firm: bool,
    /// As `firm`, by a query with a limit.
    pub(super) limited: bool,
    /// A query without a limit chose it, and it changed before it was locked, or the query depends on other rows.
    pub(super) doubtful: bool,
    /// As `doubtful`, by a query with a limit, which may now choose another row.
    pub(super) moved: bool,
}

impl Outcome {
    /// A row that was asked for by key, where nothing else was.
    pub(super) fn came(&mut self, row: RowId) {
        self.by_key = self.by_key.map(|count| count + 1);
        self.rows.push(row);
    }

    /// A row of the one query.
    pub(super) fn matched(&mut self, row: RowId) {
        self.rows.push(row);
    }

    /// A row that the first statement locked.
    pub(super) fn locked(&mut self, row: RowId, reasons: Reasons) {
        let Reasons { asked, firm, limited, doubtful, moved } = reasons;
        self.moved |= moved;
        self.by_key = self.by_key.map(|count| count + usize::from(asked));
        if asked || firm {
            self.firm.push(row);
        }
        if doubtful && !(asked || firm || limited) {
            self.doubtful.push(row);
        }
        let chosen = asked || firm || limited;
        self.as_read &= chosen;
        if chosen { self.rows.push(row) } else { self.others.push(row) }
    }

    /// Group `group` of the queries chose so many rows in all; this row is one of them, or not.
    pub(super) fn count(&mut self, group: usize, chosen: i64, this: bool) {
        self.counts[group].0 = chosen;
        self.counts[group].1 += i64::from(this);
    }

    /// No row came, though the queries chose some, or did not.
    pub(super) fn none_came(&mut self, chosen: bool) {
        self.lost = chosen;
    }

    /// A row of a look.
    pub(super) fn seen(&mut self, row: RowId, held: bool, wanted: bool) {
        match (held, wanted) {
            (false, _) => self.unheld.push(row),
            (true, true) => self.rows.push(row),
            (true, false) => self.others.push(row),
        }
    }

    /// A row that was locked because a look found it wanted and not held.
    pub(super) fn locked_more(&mut self, row: RowId) {
        self.others.push(row);
        self.more.push(row);
    }

    /// A row that was asked for and locked because it was found to exist.
    pub(super) fn locked_late(&mut self, row: RowId) {
        self.rows.push(row);
        self.more.push(row);
        (self.late, self.as_read, self.by_key) = (true, false, None);
    }

    /// A row in its place.
    pub(super) fn in_order(&mut self, row: RowId) {
        self.rows.push(row);
    }

    /// A row that was asked for, exists and can be locked.
    pub(super) fn is_there(&mut self, row: RowId) {
        self.there.push(row);
    }

    /// A row that exists and that others hold.
    pub(super) fn is_skipped(&mut self, row: RowId) {
        self.skipped.push(row);
    }

    /// A row that no lock of this session's reaches.
    pub(super) fn is_unlockable(&mut self, row: RowId) {
        self.unlockable.push(row);
    }

    /// The row of the unknown key at this place, in whatever letters.
    pub(super) fn is_same(&mut self, place: usize, row: RowId, skips: bool) {
        if skips && self.known.insert(row) {
            self.skipped.push(row);
        }
        if let Some(unknown) = self.unknown.get(place).filter(|unknown| **unknown != row) {
            self.same.insert(*unknown, row);
        }
    }

    /// Whether a query must be asked again before the rows are an answer.
    pub(super) fn is_unsettled(&self) -> bool {
        self.moved || (!self.looked && !self.doubtful.is_empty())
    }

    /// Whether queries chose rows that did not come.
    pub(super) fn is_short(&self) -> bool {
        self.lost || self.counts.iter().any(|(chosen, came)| chosen != came)
    }

    /// Begins a look, and returns all that is held.
    pub(super) fn look_again(&mut self) -> Vec<RowId> {
        let mut held = std::mem::take(&mut self.others);
        held.append(&mut self.rows);
        (self.looked, self.moved, self.as_read, self.late, self.by_key) = (true, false, false, false, None);
        self.unheld.clear();
        held
    }

    pub(super) fn firm(&self) -> &[RowId] {
        &self.firm
    }

    pub(super) fn doubtful(&self) -> &[RowId] {
        &self.doubtful
    }

    pub(super) fn unheld(&self) -> &[RowId] {
        &self.unheld
    }

    /// The rows of the answer, and whether some of them came late.
    pub(super) fn rows(&self) -> (&[RowId], bool) {
        (&self.rows, self.late)
    }

    /// Puts the rows in another order.
    pub(super) fn reorder(&mut self, rows: Vec<RowId>) {
        self.rows = rows;
        (self.late, self.as_read) = (false, false);
    }

    /// What exists of the keys that did not come counts as found unheld; whether there is any.
    pub(super) fn take_there(&mut self) -> bool {
        self.unheld = std::mem::take(&mut self.there);
        !self.unheld.is_empty()
    }

    /// Begins a lock of what the last look found unheld.
    pub(super) fn lock_more(&mut self) -> &[RowId] {
        self.more.clear();
        &self.unheld
    }

    /// What the last look found unheld and the lock that followed did not get.
    pub(super) fn left_out(&self) -> Vec<RowId> {
        let more = self.more.iter().copied().collect::<RowSet>();
        self.unheld.iter().copied().filter(|row| !more.contains(*row)).collect()
    }

    /// What exists and was skipped, to be asked about once more.
    pub(super) fn take_skipped(&mut self) -> Vec<RowId> {
        std::mem::take(&mut self.skipped)
    }

    pub(super) fn skipped(&self) -> &[RowId] {
        &self.skipped
    }

    pub(super) fn unlockable(&self) -> &[RowId] {
        &self.unlockable
    }

    /// Whether the server has found as many rows by key as there are keys. As long as it said so of each row, its count goes before a
    /// comparison in Rust: it may hold keys for equal that Rust does not.
    pub(super) fn is_complete(&self, asked: usize) -> bool {
        asked == 0 || self.by_key == Some(asked)
    }

    /// Which of the keys that were asked for did not come.
    pub(super) fn absent(&self, asked: &[RowId]) -> Vec<RowId> {
        if self.is_complete(asked.len()) {
            return Vec::new();
        }
        let rows = self.rows.iter().copied().collect::<RowSet>();
        asked.iter().copied().filter(|key| !rows.contains(self.row_of(*key))).collect()
    }

    /// Which of the keys that were asked for are not those of rows to Rust, if the server has found any row by key or rows may have
    /// been skipped: several of the keys may be those of one row to the server.
    pub(super) fn find_unknown(&mut self, asked: &[RowId], skips: bool) -> Vec<RowId> {
        if !skips && self.by_key == Some(0) {
            return Vec::new();
        }
        let rows = self.rows.iter().copied().collect::<RowSet>();
        self.unknown = asked.iter().copied().filter(|key| !rows.contains(*key)).collect();
        self.known = self.rows.iter().chain(&self.skipped).copied().collect::<RowSet>();
        self.unknown.clone()
    }

    fn row_of(&self, key: RowId) -> RowId {
        self.same.get(&key).copied().unwrap_or(key)
    }

    /// The answer to keys that are not [complete](Self::is_complete), or to none.
    pub(super) fn answer(self, asked: &[RowId]) -> Answer {
        let mut missing = self.absent(asked);
        if !missing.is_empty() {
            let there = self.rows.iter().chain(&self.skipped).copied().collect::<RowSet>();
            missing.retain(|key| !there.contains(self.row_of(*key)));
        }
        let same = self.same.into_iter().collect();
        Answer { rows: (!self.as_read).then_some(self.rows), missing, skipped: self.skipped, same }
    }
}

#[cfg(test)]
mod tests;
