//! The row sink of a table plan's statements: reads each row for the models that the statement serves.

use diesel::{
    deserialize,
    pg::Pg,
    row::Row,
    sql_types::{BigInt, Bool, Integer, Nullable},
};

use super::{
    answer::{Outcome, Reasons},
    fragments::{groups, tells_of_keys},
};
use crate::{
    backend::RowSink,
    diesel_internals::RowRef,
    sql::{Chosen, ModelRows},
};

/// The row sink of one statement.
pub(super) struct RowReader<'e> {
    models: Vec<ModelReader<'e>>,
    /// The number of columns of all models together.
    width: usize,
    reading: Reading,
    /// True if two columns follow at the end: whether a row was locked at all, and whether the queries chose any. See
    /// [`LockRows::says_if_empty`](super::lock_rows::LockRows::says_if_empty).
    told_if_empty: bool,
}

/// The destination of one model's rows.
pub(super) struct ModelReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Pg>,
    pub(super) outcome: &'e mut Outcome,
    pub(super) width: usize,
    pub(super) groups: Groups,
}

/// The columns that the first statement adds for a model behind all the models' own columns.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// True if a boolean comes first: whether the row was requested by key. Else the number of a group says so.
    asked: bool,
    /// For each group of the model's queries: whether they have limits, and whether all of them evaluate under the lock everything that
    /// they depend on.
    groups: Vec<(bool, bool)>,
    /// True if each group's number is followed by the number of rows that it chose. For a group with limits it always is.
    counts: bool,
}

impl Groups {
    pub(super) fn new(asked: bool, choices: &[Chosen<'_, Pg>], counts: bool) -> Self {
        let own =
            |limited| choices.iter().filter(|chosen| chosen.shape.limited == limited).all(|chosen| chosen.text.own);
        let asked = asked && !tells_of_keys(choices, counts);
        Groups { asked, groups: groups(choices).map(|limited| (limited, own(limited))).collect(), counts }
    }
}

/// The columns behind those of the models.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// None: every row was requested by key.
    Keys,
    /// None: every row was chosen by the single query.
    Query,
    /// The columns of [`Groups`]: mainly one number per group of queries, see [`LockRows`](super::lock_rows::LockRows).
    Mixed,
    /// Two booleans, held and wanted, see [`Recheck`](super::recheck::Recheck).
    Again,
    /// None: the row is locked now.
    More,
    /// None: the row was requested by key, and is locked now.
    Late,
    /// None: the rows are those of the answer, in their order.
    Order,
    /// The position in the list of the key by which the row was found, see [`SameRows`](super::same_rows::SameRows).
    Same {
        /// True if rows that are not locked were skipped.
        skips: bool,
    },
}

impl ModelReader<'_> {
    fn read(&mut self, columns: &RowRef<'_, Pg>, reading: Reading, row: &RowRef<'_, Pg>, extra: &mut usize) -> Done {
        match reading {
            Reading::Keys => {
                let number = self.rows.read(columns)?;
                self.outcome.came(number);
            }
            Reading::Query => {
                let number = self.rows.read(columns)?;
                self.outcome.matched(number);
            }
            Reading::Mixed => {
                let number = self.rows.read(columns)?;
                let reasons = self.reasons(row, extra)?;
                self.outcome.locked(number, reasons);
            }
            Reading::Again => {
                let number = self.rows.read(columns)?;
                let [held, wanted] = [0, 1].map(|i| row.get_value::<Bool, bool, _>(*extra + i));
                self.outcome.seen(number, held?, wanted?);
            }
            Reading::More => {
                let number = self.rows.read(columns)?;
                self.outcome.locked_more(number);
            }
            Reading::Late => {
                let number = self.rows.read(columns)?;
                self.outcome.locked_late(number);
            }
            Reading::Order => {
                let number = self.rows.read(columns)?;
                self.outcome.in_order(number);
            }
            Reading::Same { skips } => {
                let number = self.rows.number(columns)?;
                let place = usize::try_from(row.get_value::<BigInt, i64, _>(*extra)? - 1)?;
                self.outcome.is_same(place, number, skips);
            }
        }
        Ok(())
    }

    fn reasons(&mut self, row: &RowRef<'_, Pg>, column: &mut usize) -> deserialize::Result<Reasons> {
        let mut reasons = Reasons::default();
        if self.groups.asked {
            reasons.asked = row.get_value::<Bool, bool, _>(*column)?;
            *column += 1;
        }
        for (group, (has_limit, own)) in self.groups.groups.iter().enumerate() {
            let number = row.get_value::<Integer, i32, _>(*column)?;
            // An unchanged row proves nothing about the other rows that its query depends on.
            match (number, has_limit) {
                (0, _) => {}
                (3, _) => reasons.asked = true,
                (1, false) if *own => reasons.firm = true,
                (1, true) if *own => reasons.limited = true,
                (_, false) => reasons.doubtful = true,
                (_, true) => reasons.moved = true,
            }
            *column += 1;
            if self.groups.counts || *has_limit {
                self.outcome.count(group, row.get_value::<BigInt, i64, _>(*column)?, number != 0);
                *column += 1;
            }
        }
        Ok(reasons)
    }
}

impl<'e> RowReader<'e> {
    pub(super) fn new(models: Vec<ModelReader<'e>>, reading: Reading) -> Self {
        let width = models.iter().map(|model| model.width).sum();
        RowReader { models, width, reading, told_if_empty: false }
    }

    pub(super) fn told_if_empty(self, told_if_empty: bool) -> Self {
        RowReader { told_if_empty, ..self }
    }

    /// Returns whether the queries chose any row, if this row only reports that none came back.
    fn empty(&self, row: &RowRef<'_, Pg>) -> deserialize::Result<Option<bool>> {
        let last = row.field_count() - 1;
        if !self.told_if_empty || row.get_value::<Nullable<Bool>, Option<bool>, _>(last - 1)?.is_some() {
            return Ok(None);
        }
        row.get_value::<Bool, bool, _>(last).map(Some)
    }
}

type Done = deserialize::Result<()>;

impl RowSink<Pg> for RowReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> Done {
        if let Some(chosen) = self.empty(row)? {
            self.models.iter_mut().for_each(|model| model.outcome.none_came(chosen));
            return Ok(());
        }
        let mut column = 0;
        let mut extra = self.width;
        for model in &mut self.models {
            let columns = row.window(column..column + model.width);
            column += model.width;
            model.read(&columns, self.reading, row, &mut extra)?;
        }
        Ok(())
    }
}
