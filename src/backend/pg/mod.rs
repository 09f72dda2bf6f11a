//! PostgreSQL: one statement locks and loads what a set wants of a table.
//!
//! Why each statement looks as it does, with the measurements, is in `DESIGN.md`.

mod advisory;
mod clock;
mod dialogue;
mod holders;
mod isolation;
mod key_list;
mod lock_query;
mod lock_rows;
mod look_again;
mod pick;
mod reader;
mod row_lock;
mod words;

use diesel::{deserialize, pg::Pg, query_builder::QueryFragment, result::QueryResult, row::Row, sql_types::BigInt};

use self::{
    clock::PgClock,
    dialogue::PgTable,
    isolation::SetIsolation,
    pick::{Claim, Pick},
    row_lock::{BusyRows, busy_key},
};
use super::{HasKeyLocks, HasShareLocks, LockingBackend, Picking};
use crate::{
    diesel_internals::{RowRef, Statement},
    mode::{Isolation, Patience, Strength},
    sql::{Choice, Columns, PartInSet, TableName, Wanted},
};

impl LockingBackend for Pg {
    type Table<'a> = PgTable<'a>;

    type Clock = PgClock;

    fn busy_rows<'q>(
        query: &'q dyn Choice<Pg>,
        key: &'q dyn QueryFragment<Pg>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Pg> {
        Statement::new(BusyRows { query, key, table, strength })
    }

    fn busy_key(row: &RowRef<'_, Pg>) -> deserialize::Result<String> {
        busy_key(row)
    }

    fn pick<'q>(query: &'q dyn Choice<Pg>, columns: Columns<'q, Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
        Statement::new(Pick { query, columns, pick })
    }

    fn claim<'q>(
        query: &'q dyn Choice<Pg>,
        wanted: &'q dyn Wanted<Pg>,
        changes: &'q dyn QueryFragment<Pg>,
        pick: Picking<'q>,
    ) -> Statement<'q, Pg> {
        Statement::new(Claim { query, wanted, changes, pick })
    }

    fn place(row: &RowRef<'_, Pg>, column: usize) -> deserialize::Result<i64> {
        row.get_value::<BigInt, i64, _>(column)
    }

    fn isolation(level: Isolation) -> Statement<'static, Pg> {
        Statement::new(SetIsolation(level))
    }

    fn table<'a>(
        name: TableName,
        parts: Vec<PartInSet<'a, Self>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self::Table<'a>> {
        PgTable::new(name, parts, strength, patience)
    }
}

impl HasShareLocks for Pg {}
impl HasKeyLocks for Pg {}
