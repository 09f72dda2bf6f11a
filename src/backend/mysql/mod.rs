//! The backend for MySQL and MariaDB. A set reads the keys that its queries choose, and then locks the rows by primary key.
//!
//! Both servers get the same statement text. The reasons for the form of each statement, with the measurements, are in `DESIGN.md`.

mod advisory;
mod answer;
mod built_ins;
mod chunks;
mod clock;
mod control;
mod covering_index;
mod dialect;
mod empty_read;
mod fragments;
mod free_rows;
mod holders;
mod implicit_rollback;
mod isolation;
mod kept;
mod key_check;
mod key_list;
mod level_guard;
mod listed;
mod lock_limit;
mod lock_rows;
mod pick;
mod reader;
mod resolve;
mod row_lock;
mod same_table;
mod session;
mod sort;
mod table_plan;
mod waits;

use diesel::{deserialize, mysql::Mysql, query_builder::QueryFragment, result::QueryResult};

use self::{
    clock::MysqlClock,
    control::TextOnly,
    dialect::DIALECT,
    free_rows::PickSelected,
    pick::MysqlPick,
    row_lock::{BusyRows, busy_key},
    table_plan::MysqlTable,
};
use super::{
    HasLockingClauses, ImplicitRollback, KeptStatements, LockingBackend, Picking, PreparedControl, Snapshots,
    SupportsStrength,
};
use crate::{
    diesel_internals::{RowRef, Statement},
    key::LockName,
    markers::ForShare,
    mode::{Isolation, Strength, WaitPolicy},
    sql::{AnySelect, Dialect, Named, QueriedModel, TableName},
};

impl LockingBackend for Mysql {
    const DIALECT: &'static Dialect = &DIALECT;

    type Table<'a> = MysqlTable<'a>;
    type Clock = MysqlClock;
    type Pick = MysqlPick;

    const SNAPSHOTS: Option<Snapshots<Mysql>> = Some(isolation::SNAPSHOTS);

    fn isolate(isolation: Isolation) -> Option<Statement<'static, Mysql>> {
        Some(Statement::new(isolation::Isolate(isolation)))
    }

    const ISOLATION_COMES_FIRST: bool = true;
    const ERRORS_ABORT: bool = false;

    /// Every user may end sessions of its own.
    const END_SESSION: Option<&'static str> = Some("KILL CONNECTION_ID()");

    const FORGET_ISOLATION: Option<fn() -> Statement<'static, Mysql>> =
        Some(|| Statement::new(TextOnly(isolation::FORGET.into())));

    const IMPLICIT_ROLLBACK: Option<ImplicitRollback<Mysql>> = Some(implicit_rollback::IMPLICIT_ROLLBACK);

    const PREPARED_CONTROL: Option<&'static PreparedControl<Mysql>> = Some(&control::PREPARED_CONTROL);

    const KEPT_STATEMENTS: Option<KeptStatements> = Some(kept::KEPT_STATEMENTS);

    fn same_table<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Mysql>> {
        same_table::question(one, other)
    }

    const RELEASE: Option<for<'q> fn(LockName<'q>) -> Statement<'q, Mysql>> = Some(advisory::release);

    fn table<'a>(
        name: TableName,
        parts: Vec<QueriedModel<'a, Self>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self::Table<'a>> {
        MysqlTable::new(name, parts, strength, wait_policy)
    }
}

impl HasLockingClauses for Mysql {
    fn busy_rows<'q>(
        query: &'q dyn AnySelect<Mysql>,
        key: &'q dyn QueryFragment<Mysql>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Mysql> {
        Statement::new(Named(BusyRows { query, key, table, strength }))
    }

    fn busy_key(row: &RowRef<'_, Mysql>) -> deserialize::Result<String> {
        busy_key(row)
    }

    fn pick_selected<'q>(query: &'q dyn AnySelect<Mysql>, pick: Picking<'q>) -> Statement<'q, Mysql> {
        Statement::new(PickSelected { query, pick })
    }
}

impl SupportsStrength<ForShare> for Mysql {}
