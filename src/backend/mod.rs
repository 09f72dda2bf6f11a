//! The backend trait, and the traits of its plans. Only the module of a backend names that backend.

mod advisory;
mod capabilities;
mod clock;
mod control;
mod kept;
mod lock_limit;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod pg;
#[cfg(feature = "sqlite")]
mod sqlite;
mod waits;

use std::time::Duration;

use diesel::{
    backend::Backend,
    deserialize,
    expression::QueryMetadata,
    query_builder::QueryFragment,
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

pub(crate) use self::control::CommitBy;
pub use self::{
    advisory::{AdvisoryBackend, AdvisoryCall, SupportsAdvisory},
    capabilities::{HasLockingClauses, SupportsStrength},
    clock::Clock,
    control::{PreparedControl, Probe},
    kept::KeptStatements,
    lock_limit::LockLimit,
    waits::{HasLockWaits, WaitsQuery},
};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, LockObstacle, Result, RowName},
    key::LockName,
    mode::{Isolation, Strength, WaitPolicy},
    sql::{Answer as Rows, AnySelect, Dialect, ErasedRows, Model, QueriedModel, QueryText, TableName},
};

/// A backend whose rows can be locked.
///
/// It is implemented for PostgreSQL with the feature `postgres`, for MySQL and MariaDB with the feature `mysql`, and for SQLite with the
/// feature `sqlite`. There is nothing to implement by hand. What each of them has is on the page
/// [backends](crate::_documentation::backends), with code that is generic over them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend whose rows can be locked",
    label = "no row locks here",
    note = "enable the feature of the backend in Cargo.toml, for example `diesel_lockset = {{ features = [\"postgres\"] }}`"
)]
pub trait LockingBackend: Backend<QueryBuilder: Default> + Default + QueryMetadata<Untyped> + Send + 'static {
    /// The lexical rules by which the server reads the text of a statement.
    #[doc(hidden)]
    const DIALECT: &'static Dialect;

    /// The plan that locks one table's part of a set.
    #[doc(hidden)]
    type Table<'a>: TablePlan<Self> + Send;

    #[doc(hidden)]
    fn table<'a>(
        name: TableName,
        parts: Vec<QueriedModel<'a, Self>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self::Table<'a>>;

    /// Builds the statement that asks whether two names denote the same table; `None` if they cannot. The answer has a row if they do.
    #[doc(hidden)]
    fn same_table<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Self>>;

    /// The time limit on the statements of one call.
    #[doc(hidden)]
    type Clock: Clock<Self> + Send;

    /// The plan that takes the first free rows of a query.
    #[doc(hidden)]
    type Pick: PickPlan<Self> + Send;

    /// The query that tells whether each statement of the open transaction sees what was committed before it; `None` where the rows that a
    /// plan reads are always those.
    #[doc(hidden)]
    const SNAPSHOTS: Option<Snapshots<Self>>;

    /// Builds the statement that sets the isolation level of a transaction; `None` where every transaction has the highest one.
    #[doc(hidden)]
    fn isolate(isolation: Isolation) -> Option<Statement<'static, Self>>;

    /// True if that statement is sent before the transaction begins, not in it.
    #[doc(hidden)]
    const ISOLATION_COMES_FIRST: bool;

    /// True if an error of a statement aborts the transaction.
    #[doc(hidden)]
    const ERRORS_ABORT: bool;

    /// The rules for transactions of a backend with a single writer; `None` where rows are locked.
    #[doc(hidden)]
    const SINGLE_WRITER: Option<SingleWriter<Self>> = None;

    /// Builds the statement that clears the isolation level that the session remembers, sent after the end of a transaction without
    /// `disarm`, which clears it too; `None` where the session remembers no level.
    #[doc(hidden)]
    const FORGET_ISOLATION: Option<fn() -> Statement<'static, Self>> = None;

    /// Builds the statement that releases an advisory lock at the end of a transaction; `None` where the server releases it by itself.
    #[doc(hidden)]
    const RELEASE: Option<for<'q> fn(LockName<'q>) -> Statement<'q, Self>> = None;

    /// The statement that ends the session, whatever the state of its transaction; `None` where there is none.
    #[doc(hidden)]
    const END_SESSION: Option<&'static str> = None;

    /// The statements that recover from an implicit rollback; `None` on PostgreSQL.
    ///
    /// After an implicit rollback the server goes on in autocommit. PostgreSQL refuses every statement until the client rolls back.
    #[doc(hidden)]
    const IMPLICIT_ROLLBACK: Option<ImplicitRollback<Self>> = None;

    /// The statements that begin and end transactions if a connection prepares them; `None` where a text takes one round trip too.
    #[doc(hidden)]
    const PREPARED_CONTROL: Option<&'static PreparedControl<Self>> = None;

    /// What is needed to keep statements prepared that return rows; `None` where a failed statement can be executed again.
    #[doc(hidden)]
    const KEPT_STATEMENTS: Option<KeptStatements> = None;

    /// The statements that ask for the state of the transaction, which are sent before the commit if the connection does not report it;
    /// `None` where [`IMPLICIT_ROLLBACK`](Self::IMPLICIT_ROLLBACK) detects it.
    #[doc(hidden)]
    const PROBE: Option<&'static Probe> = None;
}

/// The statements and error checks for a backend on which a transaction is the only writer of the database, instead of locking rows.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct SingleWriter<DB: Backend> {
    /// The statement that begins a transaction as the writer.
    pub(crate) begin: &'static str,
    /// The statement that commits it.
    pub(crate) commit: &'static str,
    /// A statement that always fails and changes nothing. Behind it, the connection's record says whether a transaction is open, also if
    /// the server has rolled it back by itself.
    pub(crate) check_open: &'static str,
    /// Builds the text that begins a transaction, with this number of Diesel's savepoints, in the place of one that the server has rolled
    /// back by itself.
    pub(crate) replace: fn(u32) -> String,
    /// Returns whether an error says that another transaction is the writer, or reads what is to be committed.
    pub(crate) is_busy: fn(&DieselError) -> bool,
    /// Returns whether the error of a `COMMIT` says that the transaction was rolled back before.
    pub(crate) is_over: fn(&DieselError) -> bool,
    /// Builds the query for the time that the connection itself waits before it reports such an error.
    pub(crate) ask_limit: fn() -> Statement<'static, DB>,
    /// Reads the row of that answer, in milliseconds; zero means that the connection does not wait.
    pub(crate) limit: fn(&RowRef<'_, DB>) -> deserialize::Result<i64>,
}

/// The query for the snapshots of a transaction, and the function that reads its answer.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Snapshots<DB: Backend> {
    pub(crate) ask: fn() -> Statement<'static, DB>,
    /// Reads the only row of the answer. True if each statement sees what was committed before it, or if the server finds out at the commit
    /// that it should have.
    pub(crate) are_fresh: fn(&RowRef<'_, DB>) -> deserialize::Result<bool>,
}

/// The statements and error checks for a server that may roll a transaction back by itself and go on without one.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct ImplicitRollback<DB: Backend> {
    /// Returns whether the error of a statement says that the server has just rolled the transaction back.
    pub(crate) rolled_back: fn(&DieselError) -> bool,
    /// Returns whether the error says so on a server that is configured to roll back after it.
    pub(crate) may_roll_back: fn(&DieselError) -> bool,
    /// Builds the query for that configuration. The answer has a row if the server rolls back.
    pub(crate) ask: fn() -> Statement<'static, DB>,
    /// Builds the statements that replace the lost transaction by one that takes no writes and has this number of Diesel's savepoints.
    pub(crate) placeholder: fn(u32) -> Vec<String>,
    /// The two statements that are sent, one after the other, when a transaction has begun. With them, statements after an implicit
    /// rollback are not committed by themselves, and `check` detects the rollback.
    pub(crate) arm: (fn() -> Statement<'static, DB>, &'static str),
    /// The replacement for the first statement of `arm` on a server that lacks a function: the name of the function, and the statement.
    pub(crate) arm_without: (&'static str, fn() -> Statement<'static, DB>),
    /// The statement that is sent before the commit. It fails if the open transaction is not the one that `arm` was sent in.
    pub(crate) check: &'static str,
    /// Builds the query that is sent after `check` has failed. The answer has a row if a cluster has rolled the transaction back and
    /// nothing was committed since.
    pub(crate) ask_cluster: fn() -> Statement<'static, DB>,
    /// Builds a statement that fails if no transaction is open, as far as the server can tell.
    pub(crate) check_open: fn() -> Statement<'static, DB>,
    /// Builds the statement that undoes the rest of `arm`, after the end of the transaction.
    pub(crate) disarm: fn() -> Statement<'static, DB>,
}

/// The queries about rows that a plain query shows and no lock of this session can reach.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct HidesRows<DB: Backend> {
    /// Builds the query that returns such rows among the given rows of a table. The rows are given by their keys as text.
    pub(crate) among: for<'q> fn(&'q dyn QueryFragment<DB>, &'q TableName, &'q [String]) -> Statement<'q, DB>,
    /// Reads a row of that answer: the key, and whether the session may ask for the reason.
    pub(crate) hidden: fn(&RowRef<'_, DB>) -> deserialize::Result<(String, bool)>,
    /// Builds the query for the reason.
    pub(crate) why: for<'q> fn(&'q TableName) -> Statement<'q, DB>,
    /// Reads the row of that answer, if there is one.
    pub(crate) reason: fn(Option<&RowRef<'_, DB>>) -> deserialize::Result<LockObstacle>,
}

/// The target of a pick: the table of the query, the lock strength, and the number of rows.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Picking<'q> {
    pub(crate) table: &'q TableName,
    pub(crate) strength: Strength,
    pub(crate) limit: &'q i64,
}

/// The plan for one table's part of a set: the next step to run, and the evaluation of its response.
///
/// It decides everything and sends nothing, so that blocking and async drivers can share it.
#[doc(hidden)]
pub trait TablePlan<DB: Backend>: Sized {
    /// The number of times to ask for holders, until one is named.
    const ASKS_FOR_HOLDERS: usize = 1;

    /// Receives the names of all tables of the set. It is called on the first of several tables, before anything is sent.
    fn among(&mut self, _tables: Vec<TableName>) {}

    /// Returns the next step; `None` when the rows are locked.
    fn next_step(&mut self) -> Option<Step<'_, DB>>;

    /// Moves on to the next stage, after all rows of the last statement were read.
    fn step_done(&mut self) -> Result<()>;

    /// Returns the error that the call reports for an error of the last statement.
    fn class(&self, error: LockError) -> LockError {
        error
    }

    /// Returns the error of the last statement, unless the plan goes on after it. The statement has locked nothing.
    fn recover(&mut self, error: LockError) -> Result<()> {
        Err(error)
    }

    /// Returns the rows, model by model.
    fn finish(self) -> impl Iterator<Item = ErasedRows>;

    /// True if there is nothing more to send.
    fn is_done(&self) -> bool;

    /// Returns what the next statement does, for an [`Explanation`](crate::explanation::Explanation).
    fn purpose(&self) -> String;

    /// Moves on without an answer. Returns `false` where the answer decides what is sent.
    fn go_on(&mut self) -> Result<bool>;

    /// Returns what may be sent besides, and when.
    fn further(&self) -> Vec<&'static str>;

    /// Returns the name of the table in SQL.
    fn name(&self) -> &TableName;

    /// Returns the names of the rows that were requested by key.
    fn asked(&self) -> Vec<RowName>;

    /// Builds the query, sent after a failure, for the sessions that hold the rows of this table's part of the set.
    ///
    /// Where an error undoes only its own statement, the statement itself limits its run time to `time`.
    fn holders(&self, time: Duration) -> Statement<'_, DB>;

    /// Reads a row of that answer.
    fn holder(row: &RowRef<'_, DB>) -> deserialize::Result<Holder>;
}

/// The plan for a pick or a claim of models. It decides everything and sends nothing, as [`TablePlan`].
#[doc(hidden)]
pub trait PickPlan<DB: Backend>: Sized {
    /// Builds the plan. `changes` is the text of the changes that a claim makes; `None` for a pick.
    fn new(
        query: &dyn AnySelect<DB>,
        text: &QueryText,
        model: &mut dyn Model<DB>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self>;

    /// Returns whether this is a claim of several statements, which must be one transaction.
    fn claims_in_steps(&self) -> bool;

    /// Returns the next step; `None` when the plan is done.
    fn next_step<'e>(
        &'e mut self,
        query: &'e dyn AnySelect<DB>,
        model: &'e mut dyn Model<DB>,
        changes: Option<&'e dyn QueryFragment<DB>>,
    ) -> Option<Step<'e, DB>>;

    /// Moves on to the next stage, after all rows of the last statement were read.
    fn step_done(&mut self, model: &mut dyn Model<DB>) -> Result<()>;

    /// Returns the error of the last statement, unless the plan goes on after it, as [`TablePlan::recover`].
    fn recover(&mut self, error: LockError) -> Result<()> {
        Err(error)
    }

    /// Returns the rows of the answer, out of those that the model has read.
    fn answer(&mut self) -> Rows;

    /// Puts the rows in the order of the query.
    fn arrange<T>(self, rows: Vec<T>) -> Vec<T>;
}

/// A step of a plan: a statement and the handler of its response.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Step<'e, DB: Backend> {
    pub(crate) statement: Statement<'e, DB>,
    pub(crate) answer: Response<'e, DB>,
}

/// The handler of the response to a statement.
pub(crate) enum Response<'e, DB: Backend> {
    /// The response has rows, which the sink reads.
    Rows(Sink<'e, DB>),
    /// The statement changes rows. Their number is added to this one.
    #[allow(dead_code, reason = "of one backend only")]
    Changed(&'e mut usize),
    Nothing,
}

impl<'e, DB: Backend> Step<'e, DB> {
    pub(crate) fn new(statement: Statement<'e, DB>, reader: impl RowSink<DB> + Send + 'e) -> Self {
        Step { statement, answer: Response::Rows(Box::new(reader)) }
    }

    /// Keeps the statement out of Diesel's cache of prepared statements.
    pub(crate) fn uncached(self) -> Self {
        Step { statement: self.statement.uncached(), answer: self.answer }
    }
}

/// A row sink: reads the rows of one statement.
#[doc(hidden)]
pub trait RowSink<DB: Backend> {
    fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()>;
}

/// A row sink of any type.
pub(crate) type Sink<'e, DB> = Box<dyn RowSink<DB> + Send + 'e>;

/// Builds a row sink from a function.
pub(crate) fn sink<'e, DB: Backend>(
    read: impl FnMut(&RowRef<'_, DB>) -> deserialize::Result<()> + Send + 'e,
) -> Sink<'e, DB> {
    struct Function<F>(F);

    impl<F, DB> RowSink<DB> for Function<F>
    where
        DB: Backend,
        F: FnMut(&RowRef<'_, DB>) -> deserialize::Result<()>,
    {
        fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()> {
            self.0(row)
        }
    }

    Box::new(Function(read))
}
