//! What a set needs of a backend. Each backend says it in its own file, and only there is a backend named.

mod advisory;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod pg;

use std::time::Duration;

use diesel::{
    backend::Backend,
    deserialize,
    expression::QueryMetadata,
    query_builder::QueryFragment,
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

pub use self::advisory::{AdvisoryCall, HasAdvisoryLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, LockObstacle, Result, RowName},
    key::LockName,
    mode::{Isolation, Strength, WaitPolicy},
    sql::{
        Answer as Rows, AnySelect, Dialect, ErasedRows, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, LockStrength,
        Model, QueriedModel, QueryText, TableName,
    },
};

/// A backend whose rows can be locked.
///
/// PostgreSQL is one, with the feature `postgres`; MySQL and MariaDB are, with the feature `mysql`. There is nothing to implement by
/// hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend whose rows can be locked",
    label = "no row locks here",
    note = "enable the feature of the backend in Cargo.toml, for example `diesel_lockset = {{ features = [\"postgres\"] }}`"
)]
pub trait LockingBackend: Backend<QueryBuilder: Default> + Default + QueryMetadata<Untyped> + Send + 'static {
    /// How the server reads the text of a statement.
    #[doc(hidden)]
    const DIALECT: &'static Dialect;

    /// The conversation that locks one table's part of a set.
    #[doc(hidden)]
    type Table<'a>: TablePlan<Self>;

    #[doc(hidden)]
    fn table<'a>(
        name: TableName,
        parts: Vec<QueriedModel<'a, Self>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self::Table<'a>>;

    /// Asks whether two names are those of one table, if they can be: the answer has a row then.
    #[doc(hidden)]
    fn same_table<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Self>>;

    /// What bounds a call in time.
    #[doc(hidden)]
    type Clock: Clock<Self>;

    /// Locks what a single query wants, as far as it can be had at once, and asks for the keys of the rest.
    #[doc(hidden)]
    fn busy_rows<'q>(
        query: &'q dyn AnySelect<Self>,
        key: &'q dyn QueryFragment<Self>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Self>;

    /// Reads a row of its answer.
    #[doc(hidden)]
    fn busy_key(row: &RowRef<'_, Self>) -> deserialize::Result<String>;

    /// How to ask for rows that are shown and cannot be locked; `None` where there are none.
    #[doc(hidden)]
    const HIDES_ROWS: Option<HidesRows<Self>> = None;

    /// The conversation that takes the first free rows of a query.
    #[doc(hidden)]
    type Pick: PickPlan<Self>;

    /// Refuses a query, of this text, whose rows the locking clause would not mean.
    #[doc(hidden)]
    fn check_table(_sql: &str, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// Locks the first free rows of a query and loads what it selects by itself.
    #[doc(hidden)]
    fn pick_selected<'q>(query: &'q dyn AnySelect<Self>, pick: Picking<'q>) -> Statement<'q, Self>;

    /// How to ask whether each statement of the open transaction sees what was committed before it.
    #[doc(hidden)]
    const SNAPSHOTS: Snapshots<Self>;

    /// Chooses the isolation level of a transaction.
    #[doc(hidden)]
    fn isolate(isolation: Isolation) -> Statement<'static, Self>;

    /// Whether that is sent before the transaction begins, not in it.
    #[doc(hidden)]
    const ISOLATION_COMES_FIRST: bool;

    /// Forgets which level was chosen, when the transaction has ended, where the session remembers it.
    #[doc(hidden)]
    const FORGET_ISOLATION: Option<&'static str> = None;

    /// Releases an advisory lock that was to last as long as a transaction, where the server does not by itself.
    #[doc(hidden)]
    fn release(_name: LockName<'_>) -> Option<Statement<'_, Self>> {
        None
    }

    /// Ends the session, whatever state its transaction is in, where a broken connection could come to be used again.
    #[doc(hidden)]
    const END_SESSION: &'static [&'static str] = &[];

    /// What keeps a connection out of autocommit whose transaction the server has rolled back by itself; nothing where the
    /// server refuses every statement until it is told to roll back.
    #[doc(hidden)]
    const IMPLICIT_ROLLBACK: Option<ImplicitRollback<Self>> = None;

    /// A statement that fails in a transaction that the server has given up, to be sent before the commit where the connection
    /// does not tell; nothing where [`IMPLICIT_ROLLBACK`](Self::IMPLICIT_ROLLBACK) finds out.
    #[doc(hidden)]
    const PROBE: Option<&'static str> = None;
}

/// A question about the snapshots of a transaction.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Snapshots<DB: Backend> {
    pub(crate) ask: fn() -> Statement<'static, DB>,
    /// Reads the one row of the answer: whether each statement sees what was committed before it, or the server finds out at the commit that
    /// it should have.
    pub(crate) are_fresh: fn(&RowRef<'_, DB>) -> deserialize::Result<bool>,
}

/// What to send about transactions that the server may roll back by itself, to go on without one.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct ImplicitRollback<DB: Backend> {
    /// Whether the error of a statement says that it has just done so.
    pub(crate) rolled_back: fn(&DieselError) -> bool,
    /// Whether it says so if the server is set up that way.
    pub(crate) may_roll_back: fn(&DieselError) -> bool,
    /// Has a row if it is.
    pub(crate) ask: fn() -> Statement<'static, DB>,
    /// Puts a transaction into the place of the lost one that takes no writes and has so many of Diesel's savepoints.
    pub(crate) placeholder: fn(u32) -> Vec<String>,
    /// Sent when a transaction has begun, one after the other: what comes after its loss is not committed by itself, and that it
    /// was lost will show.
    pub(crate) arm: (fn() -> Statement<'static, DB>, &'static str),
    /// In place of the first half of `arm` where that names a function that the server does not have: its name, and what to send.
    pub(crate) arm_without: (&'static str, fn() -> Statement<'static, DB>),
    /// Sent before the commit; fails if the transaction is not the one that it was armed in.
    pub(crate) check: &'static str,
    /// Has a row if it is not because a cluster has rolled that one back, and nothing was committed since.
    pub(crate) ask_cluster: fn() -> Statement<'static, DB>,
    /// Fails if no transaction is open, as far as the server can tell.
    pub(crate) check_open: fn() -> Statement<'static, DB>,
    /// Undoes the rest of `arm`, when the transaction has ended.
    pub(crate) disarm: fn() -> Statement<'static, DB>,
}

/// Questions about rows that a plain query shows and no lock of the session's reaches.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct HidesRows<DB: Backend> {
    /// Which of these rows of a table, by their keys as text, are such?
    pub(crate) among: for<'q> fn(&'q dyn QueryFragment<DB>, &'q TableName, &'q [String]) -> Statement<'q, DB>,
    /// Reads a row of the answer: the key, and whether the reason may be asked for.
    pub(crate) hidden: fn(&RowRef<'_, DB>) -> deserialize::Result<(String, bool)>,
    /// Why?
    pub(crate) why: for<'q> fn(&'q TableName) -> Statement<'q, DB>,
    /// Reads the row of the answer.
    pub(crate) reason: fn(Option<&RowRef<'_, DB>>) -> deserialize::Result<LockObstacle>,
}

/// How many rows to pick, from which table of a query, how strongly.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Picking<'q> {
    pub(crate) table: &'q TableName,
    pub(crate) strength: Strength,
    pub(crate) limit: &'q i64,
}

/// A backend with locks that others may share.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no shared row locks",
    note = "`for_share` and `for_share_of` exist on PostgreSQL, MySQL and MariaDB"
)]
pub trait HasShareLocks: LockingBackend {}

/// A backend that tells locks on a row from locks on its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell a lock on a row from a lock on its key",
    note = "`for_no_key_update` and `for_key_share` exist on PostgreSQL only; use `for_update` or `for_share`"
)]
pub trait HasKeyLocks: LockingBackend {}

macro_rules! strengths {
    ($($word:ident => $strength:ident on $has:ident;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<DB: $has> LockStrength<DB> for $word {
            const STRENGTH: Strength = Strength::$strength;
        }
    )*};
}

strengths! {
    ForUpdate => Update on LockingBackend;
    ForNoKeyUpdate => NoKeyUpdate on HasKeyLocks;
    ForShare => Share on HasShareLocks;
    ForKeyShare => KeyShare on HasKeyLocks;
}

/// One table's part of a set as a conversation: what to send next, and what its rows mean.
///
/// It decides everything and sends nothing, so that a blocking and an async shell can share it.
#[doc(hidden)]
pub trait TablePlan<DB: Backend>: Sized {
    /// How often to ask for holders until somebody is named.
    const ASKS_FOR_HOLDERS: usize = 1;

    /// Tells the first table of a set, before anything is sent, which tables there are.
    fn among(&mut self, _tables: Vec<TableName>) {}

    /// The next statement and who reads its rows; nothing when the rows are locked.
    fn next_step(&mut self) -> Option<Step<'_, DB>>;

    /// All rows of the last statement were read.
    fn step_done(&mut self) -> Result<()>;

    /// What an error of the last statement means for the call.
    fn class(&self, error: LockError) -> LockError {
        error
    }

    /// Whether the conversation goes on after an error of the last statement, which has locked nothing.
    fn goes_on(&mut self, _error: &LockError) -> bool {
        false
    }

    /// The rows, model by model.
    fn finish(self) -> Vec<ErasedRows>;

    /// Whether there is nothing more to send.
    fn is_done(&self) -> bool;

    /// The table, as SQL names it.
    fn name(&self) -> &TableName;

    /// The rows that were asked for by key.
    fn asked(&self) -> Vec<RowName>;

    /// A question after a failure: who holds what this table's part of the set wants?
    ///
    /// If an error undoes nothing but its own statement, the statement itself sees to it that it takes no longer than that.
    fn holders(&self, time: Duration) -> Statement<'_, DB>;

    /// Reads a row of its answer.
    fn holder(row: &RowRef<'_, DB>) -> deserialize::Result<Holder>;
}

/// A pick or a claim of models as a conversation. Decides everything and sends nothing, as [`TablePlan`].
#[doc(hidden)]
pub trait PickPlan<DB: Backend>: Sized {
    /// `changes` is the text of what a claim changes.
    fn new(
        query: &dyn AnySelect<DB>,
        text: &QueryText,
        model: &mut dyn Model<DB>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self>;

    /// Whether this is a claim of several statements, which must be one transaction.
    fn claims_in_steps(&self) -> bool;

    /// The next statement and who reads its rows; nothing when it is done.
    fn next_step<'e>(
        &'e mut self,
        query: &'e dyn AnySelect<DB>,
        model: &'e mut dyn Model<DB>,
        changes: Option<&'e dyn QueryFragment<DB>>,
    ) -> Option<Step<'e, DB>>;

    /// All rows of the last statement were read.
    fn step_done(&mut self, model: &mut dyn Model<DB>) -> Result<()>;

    /// As [`TablePlan::goes_on`].
    fn goes_on(&mut self, _error: &LockError) -> bool {
        false
    }

    /// Which of the rows that the model has read are the answer.
    fn answer(&mut self) -> Rows;

    /// Puts the rows in the order of the query.
    fn arrange<T>(self, rows: Vec<T>) -> Vec<T>;
}

/// Bounds the statements of one call in time, by a setting of the server that it puts back afterwards.
#[doc(hidden)]
pub trait Clock<DB: Backend>: Default {
    /// Whether a rollback does not put the setting back.
    const OUTLIVES_A_ROLLBACK: bool;

    /// Gives the statements that follow so much time. To be sent before each of them.
    fn limit(&mut self, left: Duration) -> Step<'_, DB>;

    /// Puts the setting back, if it was changed. To be sent at the end, unless the transaction is aborted and a rollback does
    /// it.
    fn restore(&mut self) -> Option<Step<'_, DB>>;
}

/// A statement and what is to be done with its answer.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Step<'e, DB: Backend> {
    pub(crate) statement: Statement<'e, DB>,
    pub(crate) answer: Response<'e, DB>,
}

/// What is done with the answer to a statement.
pub(crate) enum Response<'e, DB: Backend> {
    /// It has rows, which are read.
    Rows(Box<dyn RowSink<DB> + Send + 'e>),
    /// It changes rows, which are added up.
    #[allow(dead_code, reason = "of one backend only")]
    Changed(&'e mut usize),
    Nothing,
}

impl<'e, DB: Backend> Step<'e, DB> {
    pub(crate) fn new(statement: Statement<'e, DB>, reader: impl RowSink<DB> + Send + 'e) -> Self {
        Step { statement, answer: Response::Rows(Box::new(reader)) }
    }
}

/// Takes the rows of one statement.
#[doc(hidden)]
pub trait RowSink<DB: Backend> {
    fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()>;
}
