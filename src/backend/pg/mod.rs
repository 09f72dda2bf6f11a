//! PostgreSQL: one statement locks and loads what a set wants of a table.
//!
//! Why each statement looks as it does, with the measurements, is in `DESIGN.md`.

mod dialogue;
mod key_list;
mod lock_query;
mod lock_rows;
mod look_again;
mod row_lock;
mod words;

use diesel::{pg::Pg, result::QueryResult};

use self::dialogue::PgTable;
use super::{HasKeyLocks, HasShareLocks, LockingBackend};
use crate::{
    mode::Strength,
    sql::{PartInSet, TableName},
};

impl LockingBackend for Pg {
    type Table<'a> = PgTable<'a>;

    fn table<'a>(name: TableName, parts: Vec<PartInSet<'a, Self>>, strength: Strength) -> QueryResult<Self::Table<'a>> {
        PgTable::new(name, parts, strength)
    }
}

impl HasShareLocks for Pg {}
impl HasKeyLocks for Pg {}
