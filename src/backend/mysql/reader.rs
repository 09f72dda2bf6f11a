//! Reads the rows of one statement into the parts that it serves.

use diesel::{deserialize, mysql::Mysql, row::Row, sql_types::BigInt};

use crate::{
    backend::Reader,
    diesel_internals::RowRef,
    sql::{Resolved, Seen},
};

/// Reads the rows that [`LockRows`](super::lock_rows::LockRows) has locked.
pub(super) struct LockedReader<'e> {
    pub(super) parts: Vec<LockedPart<'e>>,
    pub(super) mixed: bool,
}

pub(super) struct LockedPart<'e> {
    pub(super) resolved: &'e mut dyn Resolved<Mysql>,
    pub(super) width: usize,
    /// The numbers of the queries that the statement asked.
    pub(super) at_once: Vec<usize>,
}

impl Reader<Mysql> for LockedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        let mut column = 0;
        let mut extra: usize = self.parts.iter().map(|part| part.width).sum();
        let mut yes = |row: &RowRef<'_, Mysql>| {
            extra += 1;
            row.get_value::<BigInt, i64, _>(extra - 1).map(|value| value != 0)
        };
        for LockedPart { resolved, width, at_once } in &mut self.parts {
            let own = row.window(column..column + *width);
            column += *width;
            let asked = !self.mixed || yes(row)?;
            let mut matches = Vec::new();
            for query in at_once {
                if yes(row)? {
                    matches.push(*query);
                }
            }
            resolved.read(&own, Seen::Locked { asked, matches })?;
        }
        Ok(())
    }
}

/// Reads rows of one model that are all there for the same reason.
pub(super) struct SeenReader<'e> {
    pub(super) resolved: &'e mut dyn Resolved<Mysql>,
    pub(super) width: usize,
    pub(super) seen: Seen,
}

impl Reader<Mysql> for SeenReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        self.resolved.read(&row.window(0..self.width), self.seen.clone())
    }
}

/// Reads the numbers of keys, each with its rank.
pub(super) struct Numbered<'e>(pub(super) &'e mut Vec<(usize, i64)>);

impl Reader<Mysql> for Numbered<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        let number = row.get_value::<BigInt, i64, _>(0)?;
        self.0.push((usize::try_from(number)?, row.get_value::<BigInt, i64, _>(1)?));
        Ok(())
    }
}
