//! One model of a table in a set: its queries, its keys, and the state of its rows.

use diesel::{mysql::Mysql, result::QueryResult};

use crate::{
    backend::mysql::{answer::ModelAnswer, covering_index::Uncovered, fragments::Asked, listed::Listed},
    sql::{Chosen, ErasedRows, Model, ModelText, QueriedModel, Rank, RowId, TableName},
};

/// A model, the queries that choose its rows, and the bookkeeping of these rows.
pub(super) struct ModelInSet<'a> {
    pub(super) model: Box<dyn Model<Mysql>>,
    pub(super) choices: Vec<Chosen<'a, Mysql>>,
    /// The way in which each query is evaluated on locked rows.
    pub(super) asked: Vec<Asked>,
    pub(super) uncovered: Uncovered,
    pub(super) answer: ModelAnswer,
    /// True if the candidate rows are exactly the requested keys, which have no row numbers yet.
    pub(super) all: bool,
    /// The keys that the next statement is about.
    pub(super) now: Listed,
    /// The requested keys among them; not used if `all` is set.
    pub(super) now_asked: Listed,
}

impl<'a> ModelInSet<'a> {
    pub(super) fn new(QueriedModel { mut model, choices }: QueriedModel<'a, Mysql>) -> QueryResult<Self> {
        let mut answer = ModelAnswer::new(model.rows().asked(), choices.iter().map(|choice| choice.shape.limited));
        if !choices.is_empty() {
            let (_, rows) = model.sides();
            answer.number_asked(|| rows.number_asked());
            answer.begin();
        }
        let asked = choices.iter().map(|choice| Asked::of(&choice.text)).collect();
        let uncovered = Uncovered::of(model.text())?;
        let (all, now, now_asked) = (choices.is_empty(), Listed::default(), Listed::default());
        Ok(ModelInSet { model, choices, asked, uncovered, answer, all, now, now_asked })
    }

    pub(super) fn text(&self) -> &dyn ModelText<Mysql> {
        self.model.text()
    }

    /// Gives row numbers to the requested keys, to tell them apart.
    pub(super) fn number_asked(&mut self) {
        let (_, rows) = self.model.sides();
        self.answer.number_asked(|| rows.number_asked());
    }

    /// Returns the number of candidate rows.
    pub(super) fn candidates(&self) -> usize {
        if self.all { self.model.rows().asked() } else { self.answer.candidates().len() }
    }

    /// Returns the ranks of the candidate rows, if Rust knows them.
    pub(super) fn ranks(&self) -> Option<Vec<Rank>> {
        let rows = self.model.rows();
        if self.all { rows.asked_ranks() } else { rows.ranks(self.answer.candidates()) }
    }

    /// Lists the keys of all candidate rows for the next statement.
    pub(super) fn list_all(&mut self) {
        let rows = self.model.rows();
        self.now.set(if self.all { rows.asked_keys() } else { rows.keys(self.answer.candidates()) });
    }

    /// Lists the keys of the candidate rows at these places, for the statement that locks them.
    pub(super) fn list(&mut self, places: &[usize]) {
        let rows = self.model.rows();
        if self.all {
            let is_whole = places.len() == rows.asked();
            return self.now.set(if is_whole { rows.asked_keys() } else { rows.asked_keys_at(places) });
        }
        let (now, asked) = self.answer.candidates_at(places);
        self.now.set(rows.keys(&now));
        self.now_asked.set(rows.keys(&asked));
    }

    /// Lists the keys of these rows, for the statement that locks them.
    pub(super) fn list_rows(&mut self, rows: &[RowId]) {
        let of = self.model.rows();
        self.now.set(of.keys(rows));
        self.now_asked.set(of.keys(&self.answer.asked_among(rows)));
    }

    /// Clears the lists, so that the next statement is about no row of this model.
    pub(super) fn list_none(&mut self) {
        (self.now, self.now_asked) = (Listed::default(), Listed::default());
    }

    pub(super) fn forget_candidates(&mut self) {
        self.all = false;
        self.answer.forget_candidates();
        self.list_none();
    }

    /// Queues these rows for statements of at most `most` keys each, and lists the first keys. Returns whether there are any.
    pub(super) fn begin(&mut self, rows: Vec<RowId>, most: usize) -> bool {
        self.now.begin(rows, self.model.rows(), most)
    }

    /// Lists the next queued keys. Returns whether there were any.
    pub(super) fn next(&mut self, most: usize) -> bool {
        self.now.next(self.model.rows(), most)
    }

    /// Moves rows that were locked late to their place in key order, if Rust knows the order.
    pub(super) fn sort(&mut self) {
        if let Some(ranks) = self.model.rows().ranks(self.answer.held()) {
            self.answer.sort_by(ranks);
        }
    }

    pub(super) fn finish(self, name: &TableName) -> ErasedRows {
        self.model.answer(self.answer.finish(), name)
    }
}
