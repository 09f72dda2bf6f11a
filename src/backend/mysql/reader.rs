//! The row sinks: they read the rows of one statement into the models that it serves.

use diesel::{
    deserialize,
    mysql::Mysql,
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use super::{answer::ModelAnswer, empty_read::EmptyRead};
use crate::{backend::RowSink, diesel_internals::RowRef, sql::ModelRows};

/// Reads the rows that [`LockRows`](super::lock_rows::LockRows) has locked.
pub(super) struct LockedReader<'e> {
    pub(super) models: Vec<LockedModel<'e>>,
    pub(super) mixed: bool,
}

/// One model's part of [`LockedReader`].
pub(super) struct LockedModel<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Mysql>,
    pub(super) answer: &'e mut ModelAnswer,
    pub(super) width: usize,
    /// The numbers of the queries that the statement evaluates.
    pub(super) at_once: Vec<usize>,
}

impl RowSink<Mysql> for LockedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        let mut column = 0;
        let mut extra: usize = self.models.iter().map(|model| model.width).sum();
        let mut yes = |row: &RowRef<'_, Mysql>| {
            extra += 1;
            row.get_value::<BigInt, i64, _>(extra - 1).map(|value| value != 0)
        };
        for LockedModel { rows, answer, width, at_once } in &mut self.models {
            let number = rows.read(&row.window(column..column + *width))?;
            column += *width;
            answer.locked(number, !self.mixed || yes(row)?);
            for query in at_once {
                if yes(row)? {
                    answer.matches(*query, number);
                }
            }
        }
        Ok(())
    }
}

/// The meaning of a row that a statement returns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Status {
    /// Query `.0` chooses the row. This locks nothing.
    Chosen(usize),
    /// Query `.0`, read again as a whole, chooses the row. If the row is locked, it matches.
    Settled(usize),
    /// The row is locked, and matches query `.0`.
    Matches(usize),
    /// The row exists, and could not be locked without waiting.
    Busy,
}

/// Reads the row numbers of the rows that a statement returns for one model. It does not keep the rows, since they may be as old as the
/// transaction's snapshot.
pub(super) struct NumberReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Mysql>,
    pub(super) answer: &'e mut ModelAnswer,
    pub(super) width: usize,
    pub(super) status: Status,
    /// The record of a read that may be cancelled and be empty by that.
    pub(super) empty: Option<&'e mut EmptyRead>,
}

impl RowSink<Mysql> for NumberReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        if let Some(empty) = &mut self.empty {
            empty.has_row();
        }
        let number = self.rows.number(&row.window(0..self.width))?;
        match self.status {
            Status::Chosen(query) => self.answer.chosen(query, number),
            Status::Settled(query) => self.answer.settled(query, number),
            Status::Matches(query) => self.answer.matches(query, number),
            Status::Busy => self.answer.busy(number),
        }
        Ok(())
    }
}

/// Reads rows that are locked, and keeps them.
pub(super) struct PickedReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Mysql>,
    pub(super) answer: &'e mut ModelAnswer,
    pub(super) width: usize,
    pub(super) status: Picked,
    /// The name of the database, which is the column behind those of the model.
    pub(super) database: Option<&'e mut String>,
}

/// The reason why the rows are read.
pub(super) enum Picked {
    /// The rows were free. `matches` is true if they are known to match the query under the lock.
    Free { matches: bool },
    /// The rows were changed.
    Changed,
}

impl RowSink<Mysql> for PickedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        let number = self.rows.read(&row.window(0..self.width))?;
        // It is the same in each row.
        if let Some(database) = self.database.take() {
            *database = row.get_value::<Nullable<Text>, Option<String>, _>(self.width)?.unwrap_or_default();
        }
        match self.status {
            Picked::Free { matches } => {
                self.answer.picked(number);
                if matches {
                    self.answer.matches(0, number);
                }
            }
            Picked::Changed => self.answer.changed(number),
        }
        Ok(())
    }
}

/// Reads the places of keys in a list, each with its rank.
pub(super) struct Ranks<'e>(pub(super) &'e mut Vec<(usize, i64)>);

impl RowSink<Mysql> for Ranks<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        let place = row.get_value::<BigInt, i64, _>(0)?;
        self.0.push((usize::try_from(place)?, row.get_value::<BigInt, i64, _>(1)?));
        Ok(())
    }
}

/// Reads a single number.
pub(super) struct Counter<'e>(pub(super) &'e mut i64);

impl RowSink<Mysql> for Counter<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        *self.0 = row.get_value::<BigInt, i64, _>(0)?;
        Ok(())
    }
}
