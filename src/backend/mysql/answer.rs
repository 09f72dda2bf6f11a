//! The bookkeeping of the rows of one model in one call. It works with row numbers, without the types of rows and keys.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::sql::RowSet;
use crate::sql::{Answer, RowId};

/// The state of one model's answer.
///
/// The requested keys have no row numbers until they must be told apart. So a set by key alone whose rows all come back computes no hash.
#[derive(Debug, Default)]
pub(super) struct ModelAnswer {
    /// The number of requested keys, with repetitions.
    asked_count: usize,
    /// The row numbers of the requested keys, each once.
    asked: Option<Vec<RowId>>,
    queries: Vec<QueryAnswer>,
    /// The rows to be locked next, each once. Requested keys come first.
    candidates: Vec<RowId>,
    /// The candidate rows as a set.
    listed: RowSet,
    /// The number of requested keys among the candidate rows.
    asked_candidates: usize,
    /// The locked rows, in the order in which they were locked.
    held: Vec<RowId>,
    /// The locked rows as a set.
    is_held: RowSet,
    /// The locked rows that the server found by a requested key.
    found: RowSet,
    /// The number of rows in `found`.
    found_count: usize,
    /// The rows that exist and could not be locked without waiting.
    busy: Vec<RowId>,
    is_busy: RowSet,
    /// Requested keys that are keys of locked or busy rows to the server and not to Rust, such as "ada" for the row "Ada".
    same: HashMap<RowId, RowId>,
    /// Locked rows that were read again after a change.
    changed: RowSet,
    /// True if the locked rows were sorted, and so are not in the order in which they came.
    sorted: bool,
}

/// The rows that one query chooses.
#[derive(Debug, Default)]
struct QueryAnswer {
    limited: bool,
    /// All rows that it has chosen in this call.
    chosen: RowSet,
    /// The rows that it chose when it was last read.
    now: RowSet,
    /// The rows that matched it under the lock.
    matches: RowSet,
}

/// Requested keys that were not found, and the rows whose keys they may be in another spelling.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UnknownKeys {
    pub(super) unknown: Vec<RowId>,
    pub(super) known: Vec<RowId>,
}

impl ModelAnswer {
    /// Creates the state for this number of requested keys and for these queries. `limited` says of each query whether it has a limit.
    pub(super) fn new(asked_count: usize, limited: impl Iterator<Item = bool>) -> Self {
        let queries = limited.map(|limited| QueryAnswer { limited, ..QueryAnswer::default() }).collect();
        ModelAnswer { asked_count, queries, ..ModelAnswer::default() }
    }

    /// Sets the row numbers of the requested keys, unless they have numbers already.
    pub(super) fn number_asked(&mut self, asked: impl FnOnce() -> Vec<RowId>) {
        self.asked.get_or_insert_with(asked);
    }

    /// Makes the requested keys, which have row numbers, the first candidate rows.
    pub(super) fn begin(&mut self) {
        let asked = self.asked.clone().unwrap_or_default();
        self.asked_candidates = asked.len();
        self.listed = asked.iter().copied().collect();
        self.candidates = asked;
    }

    /// Clears the last result of a query that is about to be read.
    pub(super) fn ask(&mut self, query: usize) {
        self.queries[query].now.clear();
    }

    /// Marks the row as chosen by a query. This locks nothing.
    pub(super) fn chosen(&mut self, query: usize, row: RowId) {
        let query = &mut self.queries[query];
        query.now.insert(row);
        if query.chosen.insert(row) && !self.is_held.contains(row) && self.listed.insert(row) {
            self.candidates.push(row);
        }
    }

    /// Marks the row as locked. `asked` is true if the server found it by a requested key.
    pub(super) fn locked(&mut self, row: RowId, asked: bool) {
        if asked && self.found.insert(row) {
            self.found_count += 1;
        }
        if self.is_held.insert(row) {
            self.held.push(row);
        }
    }

    /// Marks the row as chosen by a query that was read again as a whole. If the row is locked, it matches.
    pub(super) fn settled(&mut self, query: usize, row: RowId) {
        self.chosen(query, row);
        if self.is_held.contains(row) {
            self.matches(query, row);
        }
    }

    /// Marks the locked row as matching the query.
    pub(super) fn matches(&mut self, query: usize, row: RowId) {
        self.queries[query].matches.insert(row);
    }

    /// Marks the row as busy: it exists, and could not be locked without waiting.
    pub(super) fn busy(&mut self, row: RowId) {
        if self.is_busy.insert(row) {
            self.busy.push(row);
        }
    }

    /// Marks the row as locked and picked from the only query. A join may repeat the row, and each time counts.
    pub(super) fn picked(&mut self, row: RowId) {
        self.queries[0].chosen.insert(row);
        self.is_held.insert(row);
        self.held.push(row);
    }

    /// Marks the locked row as read again after a change.
    pub(super) fn changed(&mut self, row: RowId) {
        self.changed.insert(row);
    }

    pub(super) fn candidates(&self) -> &[RowId] {
        &self.candidates
    }

    /// Returns the candidate rows at these places, and the requested keys among them.
    pub(super) fn candidates_at(&self, places: &[usize]) -> (Vec<RowId>, Vec<RowId>) {
        let row = |place: &usize| self.candidates[*place];
        let asked = places.iter().filter(|place| **place < self.asked_candidates);
        (places.iter().map(row).collect(), asked.map(row).collect())
    }

    /// Returns the requested keys among the rows.
    pub(super) fn asked_among(&self, rows: &[RowId]) -> Vec<RowId> {
        let asked: RowSet = self.asked.iter().flatten().copied().collect();
        rows.iter().copied().filter(|row| asked.contains(*row)).collect()
    }

    /// Clears the candidate rows, after each of them was tried.
    pub(super) fn forget_candidates(&mut self) {
        self.candidates.clear();
        self.listed.clear();
        self.asked_candidates = 0;
    }

    /// Returns the locked rows that a query chose.
    pub(super) fn to_check(&self, query: usize) -> Vec<RowId> {
        let chosen = &self.queries[query].chosen;
        self.held.iter().copied().filter(|row| chosen.contains(*row)).collect()
    }

    /// Returns whether a row that a query chose turned out not to match it, or to be gone or busy.
    pub(super) fn has_lost(&self, query: usize) -> bool {
        let QueryAnswer { chosen, matches, .. } = &self.queries[query];
        chosen.iter().any(|row| !matches.contains(row))
    }

    /// Returns the rows that a query chose and that do not match it, or are gone.
    pub(super) fn lost(&self, query: usize) -> Vec<RowId> {
        let QueryAnswer { chosen, matches, .. } = &self.queries[query];
        chosen.iter().filter(|row| !matches.contains(*row) && !self.is_busy.contains(*row)).collect()
    }

    /// Returns whether as many rows came back as keys were requested. Then none is missing, whichever keys are equal to Rust.
    pub(super) fn is_all_found(&self) -> bool {
        self.asked_count == self.found_count || self.asked.as_ref().is_some_and(|asked| asked.len() == self.found_count)
    }

    /// Returns the requested keys that were not found.
    fn unfound(&self) -> Vec<RowId> {
        if self.is_all_found() { Vec::new() } else { self.unknown(|_| false) }
    }

    /// Returns the requested keys that are no keys of locked rows to Rust, that have no entry in `same`, and for which `known` is false.
    fn unknown(&self, known: impl Fn(RowId) -> bool) -> Vec<RowId> {
        let asked = self.asked.iter().flatten().copied();
        asked.filter(|row| !(self.is_held.contains(*row) || self.same.contains_key(row) || known(*row))).collect()
    }

    /// Returns the rows that were to be locked and are not.
    pub(super) fn absent(&self) -> Vec<RowId> {
        let mut absent = self.unfound();
        let mut seen: RowSet = absent.iter().copied().collect();
        let chosen = self.candidates[self.asked_candidates..].iter().copied();
        absent.extend(chosen.filter(|row| !self.is_held.contains(*row) && seen.insert(*row)));
        absent
    }

    /// Returns the requested keys that are unknown to Rust, and the rows whose keys they may be: locked rows with `held`, busy rows with
    /// `busy`.
    ///
    /// The number of rows that came back does not matter here, since the caller may look a row up by the spelling in which it was
    /// requested.
    pub(super) fn doubtful(&self, held: bool, busy: bool) -> UnknownKeys {
        let unknown = self.unknown(|row| self.is_busy.contains(row));
        let (held, busy) = (self.held.iter().filter(|_| held), self.busy.iter().filter(|_| busy));
        let known: Vec<_> = held.chain(busy).copied().collect();
        if unknown.is_empty() || known.is_empty() {
            return UnknownKeys::default();
        }
        UnknownKeys { unknown, known }
    }

    /// Notes that the key is a key of the row to the server.
    pub(super) fn tell_same(&mut self, key: RowId, row: RowId) {
        self.same.insert(key, row);
    }

    /// Clears the picked rows, but not the record of rows that turned out not to match.
    pub(super) fn pick_anew(&mut self) {
        self.held.clear();
        self.is_held.clear();
    }

    /// Removes the picked rows that do not match. Returns whether there were any.
    pub(super) fn drop_unmatched(&mut self) -> bool {
        let (before, matches) = (self.held.len(), &self.queries[0].matches);
        self.held.retain(|row| matches.contains(*row));
        self.is_held = self.held.iter().copied().collect();
        self.held.len() < before
    }

    /// Returns the locked rows. A row that a join repeats is there as often as it was picked.
    pub(super) fn held(&self) -> &[RowId] {
        &self.held
    }

    /// Returns the locked rows, each once.
    pub(super) fn held_once(&self) -> Vec<RowId> {
        let mut seen = RowSet::default();
        self.held.iter().copied().filter(|row| seen.insert(*row)).collect()
    }

    /// Returns whether each locked row was read again under the key that it had.
    pub(super) fn is_all_changed(&self) -> bool {
        self.held.iter().all(|row| self.changed.contains(*row))
    }

    /// Returns the busy rows that were not locked later.
    pub(super) fn busy_rows(&self) -> impl Iterator<Item = RowId> {
        self.busy.iter().copied().filter(|row| !self.is_held.contains(*row))
    }

    /// Moves rows that were locked late to their place. `ranks` are the ranks of the locked rows.
    pub(super) fn sort_by(&mut self, ranks: Vec<impl Ord>) {
        self.sorted = true;
        let mut ranked: Vec<_> = ranks.into_iter().zip(std::mem::take(&mut self.held)).collect();
        ranked.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.held = ranked.into_iter().map(|(_, row)| row).collect();
    }

    /// Returns the answer of a set.
    pub(super) fn finish(self) -> Answer {
        let plain =
            self.queries.is_empty() && self.busy.is_empty() && !self.sorted && self.found_count == self.held.len();
        let mut missing = self.unfound();
        missing.retain(|key| !self.is_busy.contains(*key));
        let named: RowSet = self.asked.iter().flatten().chain(self.same.values()).copied().collect();
        let wanted = |row: &RowId| {
            self.found.contains(*row) || named.contains(*row) || self.queries.iter().any(|query| query.wants(*row))
        };
        let rows = (!plain).then(|| self.held.iter().copied().filter(wanted).collect());
        let skipped = self.busy_rows().filter(|row| named.contains(*row)).collect();
        Answer { rows, missing, skipped, same: self.same.into_iter().collect() }
    }

    /// Returns the answer of a pick: all locked rows.
    pub(super) fn picks(self) -> Answer {
        Answer { rows: Some(self.held), ..Answer::default() }
    }
}

impl QueryAnswer {
    /// Returns whether the row is part of the answer: it matched under the lock, and a limited query still chooses it.
    fn wants(&self, row: RowId) -> bool {
        self.matches.contains(row) && if self.limited { &self.now } else { &self.chosen }.contains(row)
    }
}
