//! One model of a set: its keys and queries in batches, and what was found.

use std::{collections::VecDeque, mem, ops::Range};

use diesel::sqlite::Sqlite;

use crate::{
    backend::sqlite::key_list::MOST_VALUES,
    error::{LockError, Result},
    sql::{Answer, Chosen, ErasedRows, Keys, Model, QueriedModel, RowId, RowSet, TableName},
};

/// The largest number of queries in a statement. SQLite takes [500 terms][limits] of a compound `SELECT`.
///
/// [limits]: https://www.sqlite.org/limits.html#max_compound_select
const MOST_QUERIES: usize = 100;

/// The largest number of values in the list of keys of a statement that has queries, which have values of their own.
const MOST_VALUES_BESIDE_QUERIES: usize = 1_024;

pub(super) struct ModelInSet<'a> {
    pub(super) model: Box<dyn Model<Sqlite>>,
    pub(super) choices: Vec<Chosen<'a, Sqlite>>,
    /// The statements to send. Usually it is one, and the server puts its rows in order.
    pub(super) batches: VecDeque<Batch>,
    /// The rows that were read.
    pub(super) found: Vec<RowId>,
    /// The positions in the last list of unknown keys, each with the row that has this key.
    pub(super) same: Vec<(usize, RowId)>,
    /// True if several statements have read the rows, which are to be put in order.
    disordered: bool,
    /// True if the requested keys without a row were looked for among the rows.
    compared: bool,
    /// Requested keys that no row has in Rust, and that the server is to be asked about.
    unknown: Vec<RowId>,
    /// The first ones of them, about which it is being asked.
    asking: Vec<RowId>,
    answer: Answer,
}

/// The keys and the queries of one statement.
pub(super) struct Batch {
    pub(super) keys: Option<Box<dyn Keys<Sqlite>>>,
    pub(super) choices: Range<usize>,
}

impl<'a> ModelInSet<'a> {
    pub(super) fn new(QueriedModel { mut model, choices }: QueriedModel<'a, Sqlite>) -> Result<Self> {
        let (text, rows) = model.sides();
        let asked = rows.asked();
        let values = if choices.is_empty() { MOST_VALUES } else { MOST_VALUES_BESIDE_QUERIES };
        let most = values / text.key_width();
        let mut lists = VecDeque::new();
        if (1..=most).contains(&asked) {
            lists.push_back(rows.asked_keys());
        } else {
            let places: Vec<_> = (0..asked).collect();
            lists.extend(places.chunks(most).map(|places| rows.asked_keys_at(places)));
        }
        let queries = (0..choices.len()).step_by(MOST_QUERIES);
        let mut queries: VecDeque<_> = queries.map(|first| first..(first + MOST_QUERIES).min(choices.len())).collect();
        let mut batches = VecDeque::new();
        while !(lists.is_empty() && queries.is_empty()) {
            batches.push_back(Batch { keys: lists.pop_front(), choices: queries.pop_front().unwrap_or(0..0) });
        }
        let disordered = batches.len() > 1;
        if disordered {
            // A row that is read twice keeps its number.
            rows.number_asked();
        }
        Ok(ModelInSet {
            model,
            choices,
            batches,
            found: Vec::new(),
            same: Vec::new(),
            disordered,
            compared: false,
            unknown: Vec::new(),
            asking: Vec::new(),
            answer: Answer::default(),
        })
    }

    /// Returns whether nothing is to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Ends a batch. Returns whether there is another one.
    pub(super) fn next_batch(&mut self) -> bool {
        self.batches.pop_front();
        !self.batches.is_empty()
    }

    /// Returns the rows whose order only the server knows, if they have to be put in order.
    pub(super) fn take_disordered(&mut self) -> Result<Option<Box<dyn Keys<Sqlite>>>> {
        if !mem::take(&mut self.disordered) {
            return Ok(None);
        }
        let (text, rows) = self.model.sides();
        let mut seen = RowSet::default();
        self.found.retain(|row| seen.insert(*row));
        let keys = rows.keys(&self.found);
        if keys.has_order() {
            rows.sort(&mut self.found);
            return Ok(None);
        }
        if keys.len() > MOST_VALUES / text.key_width() {
            return Err(LockError::too_many_keys());
        }
        self.found.clear();
        Ok(Some(keys))
    }

    /// Returns the next keys that the server is to be asked about: those that no row has in Rust.
    pub(super) fn next_unknown(&mut self) -> Option<Box<dyn Keys<Sqlite>>> {
        let (text, rows) = self.model.sides();
        let compared = mem::replace(&mut self.compared, true) || (self.choices.is_empty() && rows.came_as_asked());
        if !compared {
            let found: RowSet = self.found.iter().copied().collect();
            let unknown = rows.number_asked().into_iter().filter(|key| !found.contains(*key)).collect();
            if rows.is_exact() {
                self.answer.missing = unknown;
            } else {
                self.unknown = unknown;
            }
        }
        if self.unknown.is_empty() {
            return None;
        }
        // Each key has its number beside it.
        let most = MOST_VALUES / (text.key_width() + 1);
        let later = self.unknown.split_off(self.unknown.len().min(most));
        self.asking = mem::replace(&mut self.unknown, later);
        Some(rows.keys(&self.asking))
    }

    /// Takes the server's answer about the keys.
    pub(super) fn told_same(&mut self) {
        let mut missing: Vec<_> = mem::take(&mut self.asking).into_iter().map(Some).collect();
        for (place, row) in self.same.drain(..) {
            if let Some(key) = missing.get_mut(place).and_then(Option::take) {
                self.answer.same.push((key, row));
            }
        }
        self.answer.missing.extend(missing.into_iter().flatten());
    }

    pub(super) fn finish(self, table: &TableName) -> ErasedRows {
        let ModelInSet { model, found, answer, .. } = self;
        model.answer(Answer { rows: Some(found), ..answer }, table)
    }
}
