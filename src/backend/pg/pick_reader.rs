//! The row sinks of picks and claims.

use diesel::{
    deserialize,
    pg::Pg,
    row::Row,
    sql_types::{BigInt, Bool, Nullable},
};

use crate::{
    backend::RowSink,
    diesel_internals::RowRef,
    sql::{ModelRows, RowId},
};

/// Reads the rows of [`Claim`](super::single_pick::Claim).
pub(super) struct ClaimedReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Pg>,
    pub(super) width: usize,
    pub(super) found: &'e mut Vec<RowId>,
    pub(super) picked: &'e mut usize,
    pub(super) places: &'e mut Vec<i64>,
}

impl RowSink<Pg> for ClaimedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        *self.picked = row.get_value::<BigInt, i64, _>(0)?.try_into()?;
        // No row was changed: this row has the count only.
        let Some(place) = row.get_value::<Nullable<BigInt>, Option<i64>, _>(self.width + 1)? else { return Ok(()) };
        self.places.push(place);
        self.found.push(self.rows.read(&row.window(1..self.width + 1))?);
        Ok(())
    }
}

/// Reads the rows of a [`Pick`](super::single_pick::Pick), or of a [`Change`](super::pick_recheck::Change).
pub(super) struct PickedReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Pg>,
    pub(super) width: usize,
    pub(super) found: &'e mut Vec<RowId>,
    /// The places of the rows, if the model's columns are followed by one.
    pub(super) places: Option<&'e mut Vec<i64>>,
}

impl RowSink<Pg> for PickedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        if let Some(places) = &mut self.places {
            places.push(row.get_value::<BigInt, i64, _>(self.width)?);
        }
        self.found.push(self.rows.read(&row.window(0..self.width))?);
        Ok(())
    }
}

/// Reads the rows of a [`Look`](super::pick_recheck::Look).
pub(super) struct LookReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Pg>,
    pub(super) width: usize,
    pub(super) found: &'e mut Vec<RowId>,
    pub(super) left: &'e mut usize,
}

impl RowSink<Pg> for LookReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        if row.get_value::<Bool, bool, _>(self.width)? {
            self.found.push(self.rows.read(&row.window(0..self.width))?);
        } else {
            *self.left += 1;
        }
        Ok(())
    }
}
