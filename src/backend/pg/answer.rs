//! The bookkeeping of one model's rows: what the statements reported about them, as sets of row numbers.

use std::collections::HashMap;

use crate::sql::{Answer, RowId, RowSet};

/// The state of the rows of one model.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Locked rows that are the answer, in key order.
    rows: Vec<RowId>,
    /// Locked rows that are not the answer.
    others: Vec<RowId>,
    /// Rows that are wanted, whatever a query reports later.
    firm: Vec<RowId>,
    /// Rows that a query without a limit chose. A recheck must confirm that it still does.
    doubtful: Vec<RowId>,
    /// True if a query with a limit must be asked again.
    moved: bool,
    /// Rows that were found wanted and are not locked, by the last recheck or by the search for absent keys.
    unheld: Vec<RowId>,
    /// Rows of `unheld` that the last lock statement got.
    more: Vec<RowId>,
    /// Rows that exist and that other sessions hold.
    skipped: Vec<RowId>,
    /// Rows that this session cannot lock.
    unlockable: Vec<RowId>,
    /// Requested keys that match no row in Rust.
    unknown: Vec<RowId>,
    /// The rows of the answer and the skipped rows, while the server is asked about `unknown`.
    known: RowSet,
    /// Keys of `unknown`, each with the row that the server finds by it.
    same: HashMap<RowId, RowId>,
    /// For each group of queries: the number of rows that it chose, and the number of those that came back.
    counts: [(i64, i64); 2],
    /// True if queries chose rows and none came back.
    lost: bool,
    /// True after the first recheck.
    looked: bool,
    /// True if the answer is all rows that were read, in the order in which they were read.
    as_read: bool,
    /// Requested keys that exist, can be locked, and are not locked.
    there: Vec<RowId>,
    /// True if rows were locked after the first statement and appended at the end.
    late: bool,
    /// The number of rows that the first statement found by key; `None` after a recheck or a late lock.
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

/// The reasons for which the first statement locked a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reasons {
    /// The row was requested by key.
    pub(super) asked: bool,
    /// A query without a limit chose the row. The row did not change between choice and lock, and the query does not depend on other rows.
    pub(super) firm: bool,
    /// As `firm`, by a query with a limit.
    pub(super) limited: bool,
    /// A query without a limit chose the row. The row changed before it was locked, or the query depends on other rows.
    pub(super) doubtful: bool,
    /// As `doubtful`, by a query with a limit, which may now choose another row.
    pub(super) moved: bool,
}

impl Outcome {
    /// Records a row that was requested by key, in a statement without queries.
    pub(super) fn came(&mut self, row: RowId) {
        self.by_key = self.by_key.map(|count| count + 1);
        self.rows.push(row);
    }

    /// Records a row of the single query.
    pub(super) fn matched(&mut self, row: RowId) {
        self.rows.push(row);
    }

    /// Records a row that the first statement locked.
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

    /// Records that group `group` of the queries chose `chosen` rows in all, and whether this row is one of them.
    pub(super) fn count(&mut self, group: usize, chosen: i64, this: bool) {
        self.counts[group].0 = chosen;
        self.counts[group].1 += i64::from(this);
    }

    /// Records that no row came back, and whether the queries chose any.
    pub(super) fn none_came(&mut self, chosen: bool) {
        self.lost = chosen;
    }

    /// Records a row of a recheck.
    pub(super) fn seen(&mut self, row: RowId, held: bool, wanted: bool) {
        match (held, wanted) {
            (false, _) => self.unheld.push(row),
            (true, true) => self.rows.push(row),
            (true, false) => self.others.push(row),
        }
    }

    /// Records a row that was locked because a recheck found it wanted and not locked.
    pub(super) fn locked_more(&mut self, row: RowId) {
        self.others.push(row);
        self.more.push(row);
    }

    /// Records a requested row that was locked because it was found to exist.
    pub(super) fn locked_late(&mut self, row: RowId) {
        self.rows.push(row);
        self.more.push(row);
        (self.late, self.as_read, self.by_key) = (true, false, None);
    }

    /// Appends a row in the server's order.
    pub(super) fn in_order(&mut self, row: RowId) {
        self.rows.push(row);
    }

    /// Records a requested row that exists and can be locked.
    pub(super) fn is_there(&mut self, row: RowId) {
        self.there.push(row);
    }

    /// Records a row that exists and that another session holds.
    pub(super) fn is_skipped(&mut self, row: RowId) {
        self.skipped.push(row);
    }

    /// Records a row that this session cannot lock.
    pub(super) fn is_unlockable(&mut self, row: RowId) {
        self.unlockable.push(row);
    }

    /// Records the row that the server found by the unknown key at `place`. If the call skips and does not hold the row, it was skipped.
    pub(super) fn is_same(&mut self, place: usize, row: RowId, skips: bool) {
        if skips && self.known.insert(row) {
            self.skipped.push(row);
        }
        if let Some(unknown) = self.unknown.get(place).filter(|unknown| **unknown != row) {
            self.same.insert(*unknown, row);
        }
    }

    /// Returns whether a query must be asked again before the rows are the answer.
    pub(super) fn is_unsettled(&self) -> bool {
        self.moved || (!self.looked && !self.doubtful.is_empty())
    }

    /// Returns whether queries chose rows that did not come back.
    pub(super) fn is_short(&self) -> bool {
        self.lost || self.counts.iter().any(|(chosen, came)| chosen != came)
    }

    /// Begins a recheck and returns all locked rows.
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

    /// Returns the rows of the answer, and whether some of them came late.
    pub(super) fn rows(&self) -> (&[RowId], bool) {
        (&self.rows, self.late)
    }

    /// Replaces the rows by the same rows in another order, or by an empty list that [`in_order`](Self::in_order) fills.
    pub(super) fn reorder(&mut self, rows: Vec<RowId>) {
        self.rows = rows;
        (self.late, self.as_read) = (false, false);
    }

    /// Makes the absent keys that were found to exist the rows to be locked next, and returns whether there are any.
    pub(super) fn take_there(&mut self) -> bool {
        self.unheld = std::mem::take(&mut self.there);
        !self.unheld.is_empty()
    }

    /// Begins a lock of the rows that were last found wanted and not locked, and returns them.
    pub(super) fn lock_more(&mut self) -> &[RowId] {
        self.more.clear();
        &self.unheld
    }

    /// Returns the rows that were last found wanted and that the following lock statement did not get.
    pub(super) fn left_out(&self) -> Vec<RowId> {
        let more = self.more.iter().copied().collect::<RowSet>();
        self.unheld.iter().copied().filter(|row| !more.contains(*row)).collect()
    }

    /// Takes the skipped rows, to be asked about once more.
    pub(super) fn take_skipped(&mut self) -> Vec<RowId> {
        std::mem::take(&mut self.skipped)
    }

    pub(super) fn skipped(&self) -> &[RowId] {
        &self.skipped
    }

    pub(super) fn unlockable(&self) -> &[RowId] {
        &self.unlockable
    }

    /// Returns whether the server has found as many rows by key as there are keys.
    ///
    /// As long as the server reported that for each row, its count has priority over a comparison in Rust: the server may treat keys as
    /// equal that Rust distinguishes.
    pub(super) fn is_complete(&self, asked: usize) -> bool {
        asked == 0 || self.by_key == Some(asked)
    }

    /// Returns the requested keys that did not come back.
    pub(super) fn absent(&self, asked: &[RowId]) -> Vec<RowId> {
        if self.is_complete(asked.len()) {
            return Vec::new();
        }
        let rows = self.rows.iter().copied().collect::<RowSet>();
        asked.iter().copied().filter(|key| !rows.contains(self.row_of(*key))).collect()
    }

    /// Returns the requested keys that match no row in Rust; none if the server has found no row by key and cannot have skipped any.
    ///
    /// Several of the keys may belong to one row on the server.
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

    /// Returns the answer. `asked` are the requested keys if they are not [complete](Self::is_complete), else it is empty.
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
