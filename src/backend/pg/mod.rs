//! PostgreSQL: one statement locks and loads what a set wants of a table.
//!
//! Why each statement looks as it does, with the measurements, is in `DESIGN.md`.

mod advisory;
mod clock;
mod dialogue;
mod holders;
mod key_list;
mod lock_query;
mod lock_rows;
mod look_again;
mod pick;
mod pick_again;
mod pick_at_once;
mod placed;
mod reader;
mod row_lock;
mod same_rows;
mod sources;
mod subquery;
mod text;
mod words;

use diesel::{deserialize, pg::Pg, query_builder::QueryFragment, result::QueryResult};

use self::{
    clock::PgClock,
    dialogue::PgTable,
    pick::PgPick,
    row_lock::{BusyRows, busy_key},
};
use super::{HasKeyLocks, HasShareLocks, LockingBackend, Picking};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::Result,
    mode::{Patience, Strength},
    sql::{Choice, PartInSet, TableName},
};

impl LockingBackend for Pg {
    type Table<'a> = PgTable<'a>;

    type Clock = PgClock;

    type Pick = PgPick;

    const ISOLATION_COMES_FIRST: bool = false;

    const PROBE: Option<&'static str> = Some("SELECT 1");

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

    fn check_pick(query: &dyn Choice<Pg>, table: &TableName) -> Result<()> {
        pick::check(query, table)
    }

    fn pick_selected<'q>(query: &'q dyn Choice<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
        pick::pick_selected(query, pick)
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
