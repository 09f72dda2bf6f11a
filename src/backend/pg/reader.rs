//! Reads the rows of one statement for the models that it serves.

use diesel::{
    deserialize,
    pg::Pg,
    row::Row,
    sql_types::{BigInt, Bool, Integer, Nullable},
};

use super::{
    answer::{Outcome, Reasons},
    fragments::groups,
};
use crate::{
    backend::RowSink,
    diesel_internals::RowRef,
    sql::{Chosen, ModelRows},
};

/// The reader of one statement.
pub(super) struct RowReader<'e> {
    models: Vec<ModelReader<'e>>,
    reading: Reading,
    /// Last come whether this is a row at all, and whether anything was chosen, see [`LockRows::says_if_empty`].
    told_if_empty: bool,
}

/// Where the rows of one model go.
pub(super) struct ModelReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Pg>,
    pub(super) outcome: &'e mut Outcome,
    pub(super) width: usize,
    pub(super) groups: Groups,
}

/// What the first statement says of each row, model by model.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Before the groups' numbers stands whether the row was asked for by key.
    asked: bool,
    /// For each group of the model's queries: have they limits, and does each evaluate under the lock all that it depends on?
    groups: Vec<(bool, bool)>,
    /// Behind each group's number stands how many rows it chose.
    counts: bool,
}

impl Groups {
    pub(super) fn new(asked: bool, choices: &[Chosen<'_, Pg>], counts: bool) -> Self {
        let own =
            |limited| choices.iter().filter(|chosen| chosen.shape.limited == limited).all(|chosen| chosen.text.own);
        Groups { asked, groups: groups(choices).map(|limited| (limited, own(limited))).collect(), counts }
    }
}

/// What stands behind the models' columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// Nothing: every row was asked for by key.
    Keys,
    /// Nothing: every row was chosen by the one query.
    Query,
    /// One number per group of queries, see [`LockRows`](super::lock_rows::LockRows).
    Mixed,
    /// Two booleans, held and wanted, see [`Recheck`](super::recheck::Recheck).
    Again,
    /// Nothing: the row is held now.
    More,
    /// Nothing: the row was asked for by key, and is held now.
    Late,
    /// Nothing: the rows are those of the answer, in their order.
    Order,
    /// The place on the list of the key that the row was found by, see [`SameRows`](super::same_rows::SameRows).
    Same {
        /// What is not held was skipped.
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
            // That the row is as it was says nothing about the other rows that its query depends on.
            match (number, has_limit) {
                (0, _) => {}
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
        RowReader { models, reading, told_if_empty: false }
    }

    pub(super) fn told_if_empty(self, told_if_empty: bool) -> Self {
        RowReader { told_if_empty, ..self }
    }

    /// No row came back; was any chosen?
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
        let mut extra: usize = self.models.iter().map(|model| model.width).sum();
        for model in &mut self.models {
            let columns = row.window(column..column + model.width);
            column += model.width;
            model.read(&columns, self.reading, row, &mut extra)?;
        }
        Ok(())
    }
}
