//! The PostgreSQL backend: usually one statement locks and loads the rows that a set wants of a table.
//!
//! `DESIGN.md` has the reasons for each statement's form, with the measurements.

mod advisory;
mod answer;
mod built_ins;
mod clock;
mod column_type;
mod dialect;
mod fragments;
mod holders;
mod isolation;
mod key_list;
mod lock_limit;
mod lock_query;
mod lock_rows;
mod model;
mod of_target;
mod pick;
mod pick_reader;
mod pick_recheck;
mod picked_cte;
mod reader;
mod recheck;
mod row_lock;
mod row_security;
mod same_rows;
mod same_table;
mod session;
mod single_pick;
mod table_guard;
mod table_plan;
mod waits;

use diesel::{deserialize, pg::Pg, query_builder::QueryFragment, result::QueryResult};

use self::{
    clock::PgClock,
    dialect::DIALECT,
    of_target::check_first,
    pick::PgPick,
    row_lock::{BusyRows, busy_key},
    table_plan::PgTable,
};
use super::{HasLockingClauses, HidesRows, LockingBackend, Picking, Probe, Snapshots, SupportsStrength};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::Result,
    markers::{ForKeyShare, ForNoKeyUpdate, ForShare},
    mode::{Isolation, Strength, WaitPolicy},
    sql::{AnySelect, Dialect, Named, QueriedModel, TableName},
};

impl LockingBackend for Pg {
    const DIALECT: &'static Dialect = &DIALECT;

    type Table<'a> = PgTable<'a>;

    type Clock = PgClock;

    type Pick = PgPick;

    const SNAPSHOTS: Option<Snapshots<Pg>> = Some(isolation::SNAPSHOTS);

    fn isolate(isolation: Isolation) -> Option<Statement<'static, Pg>> {
        Some(Statement::new(isolation::Isolate(isolation)))
    }

    const ISOLATION_COMES_FIRST: bool = false;
    const ERRORS_ABORT: bool = true;

    /// An aborted transaction accepts only `ROLLBACK`, so that comes first. Any role may terminate its own sessions, but not those of a
    /// role that it has replaced by `SET ROLE`. Some servers revoke the right to call the function: no lock is held then either.
    const END_SESSION: Option<&'static str> = Some(
        "ROLLBACK; RESET SESSION AUTHORIZATION; SELECT pg_catalog.pg_advisory_unlock_all(); \
         SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())",
    );

    fn same_table<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Pg>> {
        same_table::question(one, other)
    }

    // A savepoint is refused in an aborted transaction, and outside of one.
    const PROBE: Option<&'static Probe> = Some(&Probe {
        is_whole: "SAVEPOINT diesel_lockset_probe; RELEASE SAVEPOINT diesel_lockset_probe",
        is_not_aborted: "SELECT 1",
    });

    fn table<'a>(
        name: TableName,
        parts: Vec<QueriedModel<'a, Self>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self::Table<'a>> {
        PgTable::new(name, parts, strength, wait_policy)
    }
}

impl HasLockingClauses for Pg {
    fn busy_rows<'q>(
        query: &'q dyn AnySelect<Pg>,
        key: &'q dyn QueryFragment<Pg>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Pg> {
        Statement::new(Named(BusyRows { query, key, table, strength }))
    }

    fn busy_key(row: &RowRef<'_, Pg>) -> deserialize::Result<String> {
        busy_key(row)
    }

    const HIDES_ROWS: Option<HidesRows<Pg>> = Some(row_security::HIDES_ROWS);

    fn check_table(sql: &str, table: &TableName) -> Result<()> {
        check_first(sql, table)
    }

    fn pick_selected<'q>(query: &'q dyn AnySelect<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
        pick::pick_selected(query, pick)
    }
}

impl SupportsStrength<ForNoKeyUpdate> for Pg {}
impl SupportsStrength<ForShare> for Pg {}
impl SupportsStrength<ForKeyShare> for Pg {}
