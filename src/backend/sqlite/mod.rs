//! The SQLite backend. SQLite has one writer and no row locks, so a lock is the transaction itself: it becomes the writer first, and then
//! reads the rows. They are fresh, and stay so until the transaction ends.
//!
//! `DESIGN.md` has the reasons for the form of each statement.

mod clock;
mod dialect;
mod fragments;
mod key_list;
mod pick;
mod read_rows;
mod reader;
mod same_rows;
mod single_writer;
mod table_plan;
mod write_lock;

use diesel::{result::QueryResult, sqlite::Sqlite};

use self::{clock::NoClock, dialect::DIALECT, pick::SqlitePick, single_writer::SINGLE_WRITER, table_plan::SqliteTable};
use super::{LockingBackend, SingleWriter, Snapshots};
use crate::{
    diesel_internals::Statement,
    mode::{Isolation, Strength, WaitPolicy},
    sql::{Dialect, QueriedModel, TableName},
};

impl LockingBackend for Sqlite {
    const DIALECT: &'static Dialect = &DIALECT;

    type Table<'a> = SqliteTable<'a>;
    type Clock = NoClock;
    type Pick = SqlitePick;

    /// The rows are read by the only writer.
    const SNAPSHOTS: Option<Snapshots<Sqlite>> = None;

    /// Every transaction of SQLite is [serializable](https://www.sqlite.org/isolation.html), which satisfies any other level.
    fn isolate(_: Isolation) -> Option<Statement<'static, Sqlite>> {
        None
    }

    const ISOLATION_COMES_FIRST: bool = false;
    const ERRORS_ABORT: bool = false;
    const SINGLE_WRITER: Option<SingleWriter<Sqlite>> = Some(SINGLE_WRITER);

    /// Two names of one table do no harm here: nothing is locked table by table.
    fn same_table<'q>(_: &'q TableName, _: &'q TableName) -> Option<Statement<'q, Sqlite>> {
        None
    }

    fn table<'a>(
        name: TableName,
        parts: Vec<QueriedModel<'a, Self>>,
        _: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self::Table<'a>> {
        SqliteTable::new(name, parts, wait_policy)
    }
}
