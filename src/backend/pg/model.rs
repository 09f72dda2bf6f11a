//! One model of a table: its SQL, the keys and queries that choose its rows, and the bookkeeping of those rows.

use diesel::pg::Pg;

use super::{
    answer::Outcome,
    reader::{Groups, ModelReader},
    recheck::Lists,
};
use crate::{
    error::RowName,
    sql::{Chosen, ErasedRows, Keys, Model, ModelText, QueriedModel, RowId, Sequence, TableName},
};

/// The parts from which a statement is written: a model, a list of keys, and queries.
#[derive(Clone, Copy)]
pub(super) struct ModelSql<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) keys: &'q dyn Keys<Pg>,
    pub(super) choices: &'q [Chosen<'q, Pg>],
}

/// A model in the plan of one table.
pub(super) struct PgModel<'a> {
    model: Box<dyn Model<Pg>>,
    pub(super) choices: Vec<Chosen<'a, Pg>>,
    asked: Box<dyn Keys<Pg>>,
    pub(super) outcome: Outcome,
    /// The row numbers of the requested keys, once they are needed.
    numbers: Option<Vec<RowId>>,
    /// The number of times that rows found by a recheck were locked.
    pub(super) looks: usize,
    /// True if the server was asked which of the absent keys exist.
    pub(super) absent_asked: bool,
}

/// The state of the order of the answer's rows.
pub(super) enum Order {
    /// The rows are in key order, or in the order in which the server returned them.
    Right,
    /// Only the server knows the order of these keys.
    Unknown(Box<dyn Keys<Pg>>),
    /// Two rows have the same key.
    Twice,
}

impl<'a> PgModel<'a> {
    pub(super) fn new(queried: QueriedModel<'a, Pg>) -> Self {
        let QueriedModel { model, choices } = queried;
        let asked = model.rows().asked_keys();
        PgModel { model, choices, asked, outcome: Outcome::default(), numbers: None, looks: 0, absent_asked: false }
    }

    /// Returns whether rows were requested by key.
    pub(super) fn has_keys(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Returns the parts of the first statement.
    pub(super) fn sql(&self) -> ModelSql<'_> {
        ModelSql { text: self.model.text(), keys: &*self.asked, choices: &self.choices }
    }

    /// Returns the parts of the first statement and the reader of its rows, for a statement without columns about the queries.
    pub(super) fn sides(&mut self) -> (ModelSql<'_>, ModelReader<'_>) {
        let PgModel { model, choices, asked, outcome, .. } = self;
        let (text, rows) = model.sides();
        let reader = ModelReader { width: text.width(), rows, outcome, groups: Groups::default() };
        (ModelSql { text, keys: &**asked, choices }, reader)
    }

    /// Returns the same for [`LockRows`](super::lock_rows::LockRows), which adds columns for each group of queries.
    pub(super) fn first_sides(&mut self, counts: bool) -> (ModelSql<'_>, ModelReader<'_>) {
        let groups = Groups::new(self.has_keys(), &self.choices, counts);
        let (sql, reader) = self.sides();
        (sql, ModelReader { groups, ..reader })
    }

    /// Returns the parts of a later statement about `keys`, and the reader of its rows.
    pub(super) fn about<'q>(&'q mut self, keys: &'q dyn Keys<Pg>) -> (ModelSql<'q>, ModelReader<'q>) {
        let (sql, reader) = self.sides();
        (ModelSql { keys, choices: &[], ..sql }, reader)
    }

    pub(super) fn keys(&self, rows: &[RowId]) -> Box<dyn Keys<Pg>> {
        self.model.rows().keys(rows)
    }

    /// Numbers the requested keys and returns their numbers. From now on a row that is read a second time keeps its number.
    fn number(&mut self) -> &[RowId] {
        let PgModel { model, numbers, .. } = self;
        numbers.get_or_insert_with(|| model.sides().1.number_asked())
    }

    /// Returns the requested keys that did not come back.
    pub(super) fn absent(&mut self) -> Vec<RowId> {
        if self.outcome.is_complete(self.asked.len()) {
            return Vec::new();
        }
        self.number();
        self.outcome.absent(self.numbers.as_deref().unwrap_or_default())
    }

    /// Returns the requested keys that match no row in Rust, if the server may compare differently.
    pub(super) fn unknown(&mut self, skips: bool) -> Vec<RowId> {
        let rows = self.model.rows();
        let told = rows.is_exact() || (self.outcome.is_complete(self.asked.len()) && rows.came_as_asked());
        if told || !self.has_keys() {
            return Vec::new();
        }
        self.number();
        self.outcome.find_unknown(self.numbers.as_deref().unwrap_or_default(), skips)
    }

    /// Begins a recheck and returns its key lists.
    pub(super) fn look_again(&mut self) -> Lists {
        self.number();
        let held = self.outcome.look_again();
        let [firm, doubtful, held] =
            [self.outcome.firm(), self.outcome.doubtful(), &held].map(|rows| self.model.rows().keys(rows));
        Lists { firm, doubtful, held }
    }

    /// Puts the rows in key order. A row that was waited for may have come back with another key than the one by which it was sorted.
    pub(super) fn put_in_order(&mut self) -> Order {
        let (rows, late) = self.outcome.rows();
        let typed = self.model.rows();
        match typed.sequence(rows) {
            Sequence::Repeated => return Order::Twice,
            Sequence::Ascending => return Order::Right,
            Sequence::Unknown if !late => return Order::Right,
            Sequence::Unknown | Sequence::Disordered => {}
        }
        let keys = typed.keys(rows);
        let mut rows = rows.to_vec();
        self.number();
        if !keys.has_order() {
            self.outcome.reorder(Vec::new());
            return Order::Unknown(keys);
        }
        self.model.rows().sort(&mut rows);
        let twice = self.model.rows().sequence(&rows) == Sequence::Repeated;
        self.outcome.reorder(rows);
        if twice { Order::Twice } else { Order::Right }
    }

    /// Begins a lock of the rows that were last found wanted and not locked, and returns their keys.
    pub(super) fn lock_more(&mut self) -> Box<dyn Keys<Pg>> {
        let unheld = self.outcome.lock_more();
        self.model.rows().keys(unheld)
    }

    pub(super) fn names(&self, rows: &[RowId], table: &TableName) -> Vec<RowName> {
        self.model.rows().names(rows, table)
    }

    pub(super) fn asked_names(&self, table: &TableName) -> Vec<RowName> {
        self.model.rows().asked_names(table)
    }

    pub(super) fn finish(mut self, table: &TableName) -> ErasedRows {
        let asked = if self.outcome.is_complete(self.asked.len()) { Vec::new() } else { self.number().to_vec() };
        self.model.answer(self.outcome.answer(&asked), table)
    }
}
