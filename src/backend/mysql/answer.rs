//! What is known of the rows of one model, in one call: by numbers, without their type.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::sql::RowSet;
use crate::sql::{Answer, RowId};

/// The book-keeping of one model's answer.
///
/// The keys that were asked for have no numbers as long as nobody must tell them apart: a set by key alone whose rows all come back pays
/// for no hash.
#[derive(Debug, Default)]
pub(super) struct ModelAnswer {
    /// How many keys were asked for, as often as they were.
    asked_count: usize,
    /// Their numbers, each once.
    asked: Option<Vec<RowId>>,
    queries: Vec<QueryAnswer>,
    /// To be locked next, each once; those asked for by key come first.
    candidates: Vec<RowId>,
    listed: RowSet,
    /// How many of the candidates were asked for by key.
    asked_candidates: usize,
    /// In the order in which they were locked.
    held: Vec<RowId>,
    is_held: RowSet,
    /// Those of them that the server found by a key that was asked for.
    found: RowSet,
    /// How many those are.
    found_count: usize,
    busy: Vec<RowId>,
    is_busy: RowSet,
    /// Keys that were asked for and that are those of locked or busy rows to the server and not to Rust: "ada" of "Ada".
    same: HashMap<RowId, RowId>,
    /// Locked rows that were read again after a change.
    changed: RowSet,
    /// The held rows are in another order than that in which they came.
    sorted: bool,
}

/// What one query says.
#[derive(Debug, Default)]
struct QueryAnswer {
    limited: bool,
    /// What it has ever chosen.
    chosen: RowSet,
    /// What it chose when it was last asked.
    now: RowSet,
    /// What matched it under the lock.
    matches: RowSet,
}

/// Keys that were asked for and not found, and the rows that they may be in other words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UnknownKeys {
    pub(super) unknown: Vec<RowId>,
    pub(super) known: Vec<RowId>,
}

impl ModelAnswer {
    /// Of so many keys and of queries, of each of which is told whether it has a limit.
    pub(super) fn new(asked_count: usize, limited: impl Iterator<Item = bool>) -> Self {
        let queries = limited.map(|limited| QueryAnswer { limited, ..QueryAnswer::default() }).collect();
        ModelAnswer { asked_count, queries, ..ModelAnswer::default() }
    }

    /// Tells the numbers of the keys that were asked for.
    pub(super) fn number_asked(&mut self, asked: impl FnOnce() -> Vec<RowId>) {
        self.asked.get_or_insert_with(asked);
    }

    /// Makes the keys that were asked for, which have numbers, the first candidates.
    pub(super) fn begin(&mut self) {
        let asked = self.asked.clone().unwrap_or_default();
        self.asked_candidates = asked.len();
        self.listed = asked.iter().copied().collect();
        self.candidates = asked;
    }

    /// A query is about to be asked which rows it chooses.
    pub(super) fn ask(&mut self, query: usize) {
        self.queries[query].now.clear();
    }

    /// A query chooses the row. Nothing is locked by that.
    pub(super) fn chosen(&mut self, query: usize, row: RowId) {
        let query = &mut self.queries[query];
        query.now.insert(row);
        if query.chosen.insert(row) && !self.is_held.contains(row) && self.listed.insert(row) {
            self.candidates.push(row);
        }
    }

    /// The row is locked. Did the server find it by a key that was asked for?
    pub(super) fn locked(&mut self, row: RowId, asked: bool) {
        if asked && self.found.insert(row) {
            self.found_count += 1;
        }
        if self.is_held.insert(row) {
            self.held.push(row);
        }
    }

    /// The query, asked anew, chooses the row. If it is locked, it matches.
    pub(super) fn settled(&mut self, query: usize, row: RowId) {
        self.chosen(query, row);
        if self.is_held.contains(row) {
            self.matches(query, row);
        }
    }

    /// The locked row matches the query.
    pub(super) fn matches(&mut self, query: usize, row: RowId) {
        self.queries[query].matches.insert(row);
    }

    /// The row is there, and could not be locked without waiting.
    pub(super) fn busy(&mut self, row: RowId) {
        if self.is_busy.insert(row) {
            self.busy.push(row);
        }
    }

    /// The row is locked, picked out of the only query. A join may repeat it, and each time counts.
    pub(super) fn picked(&mut self, row: RowId) {
        self.queries[0].chosen.insert(row);
        self.is_held.insert(row);
        self.held.push(row);
    }

    /// The locked row was read again after a change.
    pub(super) fn changed(&mut self, row: RowId) {
        self.changed.insert(row);
    }

    pub(super) fn candidates(&self) -> &[RowId] {
        &self.candidates
    }

    /// The candidates at these places, and those of them that were asked for by key.
    pub(super) fn candidates_at(&self, places: &[usize]) -> (Vec<RowId>, Vec<RowId>) {
        let row = |place: &usize| self.candidates[*place];
        let asked = places.iter().filter(|place| **place < self.asked_candidates);
        (places.iter().map(row).collect(), asked.map(row).collect())
    }

    /// Those of the rows that were asked for by key.
    pub(super) fn asked_among(&self, rows: &[RowId]) -> Vec<RowId> {
        let asked: RowSet = self.asked.iter().flatten().copied().collect();
        rows.iter().copied().filter(|row| asked.contains(*row)).collect()
    }

    /// All candidates have had their chance.
    pub(super) fn forget_candidates(&mut self) {
        self.candidates.clear();
        self.listed.clear();
        self.asked_candidates = 0;
    }

    /// The locked rows that a query chose.
    pub(super) fn to_check(&self, query: usize) -> Vec<RowId> {
        let chosen = &self.queries[query].chosen;
        self.held.iter().copied().filter(|row| chosen.contains(*row)).collect()
    }

    /// Whether a row that a query chose turned out not to match it, or to be gone or busy.
    pub(super) fn has_lost(&self, query: usize) -> bool {
        let QueryAnswer { chosen, matches, .. } = &self.queries[query];
        chosen.iter().any(|row| !matches.contains(row))
    }

    /// The rows that a query chose and that do not match it, or are gone.
    pub(super) fn lost(&self, query: usize) -> Vec<RowId> {
        let QueryAnswer { chosen, matches, .. } = &self.queries[query];
        chosen.iter().filter(|row| !matches.contains(*row) && !self.is_busy.contains(*row)).collect()
    }

    /// Whether as many rows came back as keys were asked for, so that none is missing, whatever Rust holds for equal.
    pub(super) fn is_all_found(&self) -> bool {
        self.asked_count == self.found_count || self.asked.as_ref().is_some_and(|asked| asked.len() == self.found_count)
    }

    /// What was asked for and not found.
    fn unfound(&self) -> Vec<RowId> {
        if self.is_all_found() { Vec::new() } else { self.unknown(|_| false) }
    }

    /// The keys that were asked for and are those of no locked row as far as Rust knows, nor `known` otherwise.
    fn unknown(&self, known: impl Fn(RowId) -> bool) -> Vec<RowId> {
        let asked = self.asked.iter().flatten().copied();
        asked.filter(|row| !(self.is_held.contains(*row) || self.same.contains_key(row) || known(*row))).collect()
    }

    /// What was to be locked and is not.
    pub(super) fn absent(&self) -> Vec<RowId> {
        let mut absent = self.unfound();
        let mut seen: RowSet = absent.iter().copied().collect();
        let chosen = self.candidates[self.asked_candidates..].iter().copied();
        absent.extend(chosen.filter(|row| !self.is_held.contains(*row) && seen.insert(*row)));
        absent
    }

    /// The keys that were asked for and are unknown to Rust, and the rows, `held` or `busy`, that they may be. The number of rows says
    /// nothing here: the caller may look a row up in the words in which it was asked for.
    pub(super) fn doubtful(&self, held: bool, busy: bool) -> UnknownKeys {
        let unknown = self.unknown(|row| self.is_busy.contains(row));
        let (held, busy) = (self.held.iter().filter(|_| held), self.busy.iter().filter(|_| busy));
        let known: Vec<_> = held.chain(busy).copied().collect();
        if unknown.is_empty() || known.is_empty() {
            return UnknownKeys::default();
        }
        UnknownKeys { unknown, known }
    }

    /// The server says that the key is that of the row.
    pub(super) fn tell_same(&mut self, key: RowId, row: RowId) {
        self.same.insert(key, row);
    }

    /// Forgets what was picked, but not which rows turned out not to match.
    pub(super) fn pick_anew(&mut self) {
        self.held.clear();
        self.is_held.clear();
    }

    /// Drops what was picked and does not match; whether there was any.
    pub(super) fn drop_unmatched(&mut self) -> bool {
        let (before, matches) = (self.held.len(), &self.queries[0].matches);
        self.held.retain(|row| matches.contains(*row));
        self.is_held = self.held.iter().copied().collect();
        self.held.len() < before
    }

    /// The rows that are locked; what a join repeats, as often as it was picked.
    pub(super) fn held(&self) -> &[RowId] {
        &self.held
    }

    /// The same, each once.
    pub(super) fn held_once(&self) -> Vec<RowId> {
        let mut seen = RowSet::default();
        self.held.iter().copied().filter(|row| seen.insert(*row)).collect()
    }

    /// Whether each of them was read again under the key that it had.
    pub(super) fn is_all_changed(&self) -> bool {
        self.held.iter().all(|row| self.changed.contains(*row))
    }

    /// The rows that are there and were not locked after all.
    pub(super) fn busy_rows(&self) -> impl Iterator<Item = RowId> {
        self.busy.iter().copied().filter(|row| !self.is_held.contains(*row))
    }

    /// Puts rows that were locked late in their place; `ranks` are those of the rows that are held.
    pub(super) fn sort_by(&mut self, ranks: Vec<impl Ord>) {
        self.sorted = true;
        let mut ranked: Vec<_> = ranks.into_iter().zip(std::mem::take(&mut self.held)).collect();
        ranked.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.held = ranked.into_iter().map(|(_, row)| row).collect();
    }

    /// The answer of a set.
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

    /// The answer of a pick: all that is locked.
    pub(super) fn picks(self) -> Answer {
        Answer { rows: Some(self.held), ..Answer::default() }
    }
}

impl QueryAnswer {
    fn wants(&self, row: RowId) -> bool {
        self.matches.contains(row) && if self.limited { &self.now } else { &self.chosen }.contains(row)
    }
}
