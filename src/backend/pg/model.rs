//! One model of a table: its SQL, the keys and queries that choose its rows, and what has become of them.

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

/// What a statement is written from: a model, a list of keys, and queries.
#[derive(Clone, Copy)]
pub(super) struct ModelSql<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) keys: &'q dyn Keys<Pg>,
    pub(super) choices: &'q [Chosen<'q, Pg>],
}

pub(super) struct PgModel<'a> {
    model: Box<dyn Model<Pg>>,
    pub(super) choices: Vec<Chosen<'a, Pg>>,
    asked: Box<dyn Keys<Pg>>,
    pub(super) outcome: Outcome,
    /// The numbers of the keys that were asked for, once somebody wants them.
    numbers: Option<Vec<RowId>>,
    /// How often rows were locked that a look had found.
    pub(super) looks: usize,
    /// The server was asked which of the keys that did not come exist.
    pub(super) absent_asked: bool,
}

/// Whether the rows of the answer are as they should be.
pub(super) enum Order {
    Right,
    /// Only the server knows.
    Unknown(Box<dyn Keys<Pg>>),
    /// Two rows have one key.
    Twice,
}

impl<'a> PgModel<'a> {
    pub(super) fn new(queried: QueriedModel<'a, Pg>) -> Self {
        let QueriedModel { model, choices } = queried;
        let asked = model.rows().asked_keys();
        PgModel { model, choices, asked, outcome: Outcome::default(), numbers: None, looks: 0, absent_asked: false }
    }

    /// Whether rows were asked for by key.
    pub(super) fn has_keys(&self) -> bool {
        !self.asked.is_empty()
    }

    /// What the first statement is written from.
    pub(super) fn sql(&self) -> ModelSql<'_> {
        ModelSql { text: self.model.text(), keys: &*self.asked, choices: &self.choices }
    }

    /// The same, and who reads the rows, if nothing about the queries stands behind them.
    pub(super) fn sides(&mut self) -> (ModelSql<'_>, ModelReader<'_>) {
        let PgModel { model, choices, asked, outcome, .. } = self;
        let (text, rows) = model.sides();
        let reader = ModelReader { width: text.width(), rows, outcome, groups: Groups::default() };
        (ModelSql { text, keys: &**asked, choices }, reader)
    }

    /// The same of [`LockRows`](super::lock_rows::LockRows).
    pub(super) fn first_sides(&mut self, counts: bool) -> (ModelSql<'_>, ModelReader<'_>) {
        let groups = Groups::new(self.has_keys(), &self.choices, counts);
        let (sql, reader) = self.sides();
        (sql, ModelReader { groups, ..reader })
    }

    /// What a later statement is written from, about `keys`, and who reads the rows.
    pub(super) fn about<'q>(&'q mut self, keys: &'q dyn Keys<Pg>) -> (ModelSql<'q>, ModelReader<'q>) {
        let (sql, reader) = self.sides();
        (ModelSql { keys, choices: &[], ..sql }, reader)
    }

    pub(super) fn keys(&self, rows: &[RowId]) -> Box<dyn Keys<Pg>> {
        self.model.rows().keys(rows)
    }

    /// The numbers of the keys that were asked for. From now on a row that comes a second time has the number that it had.
    fn number(&mut self) -> &[RowId] {
        let PgModel { model, numbers, .. } = self;
        numbers.get_or_insert_with(|| model.sides().1.number_asked())
    }

    /// The keys that were asked for and did not come.
    pub(super) fn absent(&mut self) -> Vec<RowId> {
        if self.outcome.is_complete(self.asked.len()) {
            return Vec::new();
        }
        self.number();
        self.outcome.absent(self.numbers.as_deref().unwrap_or_default())
    }

    /// The keys that were asked for and are not those of rows to Rust, if the server may see it otherwise.
    pub(super) fn unknown(&mut self, skips: bool) -> Vec<RowId> {
        let rows = self.model.rows();
        let told = rows.is_exact() || (self.outcome.is_complete(self.asked.len()) && rows.came_as_asked());
        if told || !self.has_keys() {
            return Vec::new();
        }
        self.number();
        self.outcome.find_unknown(self.numbers.as_deref().unwrap_or_default(), skips)
    }

    /// The lists of the next look.
    pub(super) fn look_again(&mut self) -> Lists {
        self.number();
        let held = self.outcome.look_again();
        let [firm, doubtful, held] =
            [self.outcome.firm(), self.outcome.doubtful(), &held].map(|rows| self.model.rows().keys(rows));
        Lists { firm, doubtful, held }
    }

    /// Puts the rows in the order of the key. A row that was waited for may have come with another key than the one that it was sorted
    /// by.
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

    /// Begins a lock of what the last look found unheld.
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
