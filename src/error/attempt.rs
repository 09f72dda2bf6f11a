//! The context of a failed lock call: the rows, the time it took, and the sessions that held the rows.

use std::{fmt, num::TryFromIntError, time::Duration};

use super::{LockError, RowName, listed::Listed};
use crate::session::LockSession;

/// The part of a lock call that failed: the table or advisory lock, the requested rows, and the time that the call took.
///
/// # Example: who was in the way
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let (conn, other) = (&mut establish(), &mut establish());
/// # let held = AdvisoryLock::named("import orders").acquire(other).unwrap();
/// let import = AdvisoryLock::named("import orders");
/// let import = import.timeout(std::time::Duration::from_millis(20));
/// match import.hold(conn, |_| Ok::<_, LockError>(())) {
///     Err(LockError::TimedOut { attempt: Some(attempt), .. }) => {
///         assert_eq!(attempt.advisory_lock(), Some("|import orders"));
///         assert!(attempt.waited().as_millis() >= 20);
///         println!("{attempt}"); // rows and holders, too
///     }
///     other => panic!("{other:?}"),
/// }
/// # drop(held);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) table: String,
    pub(crate) advisory_lock: Option<String>,
    pub(crate) rows: Vec<RowName>,
    pub(crate) waited: Duration,
    pub(crate) holders: Vec<Holder>,
    pub(crate) rolled_back: bool,
}

impl Attempt {
    pub(crate) fn at_advisory_lock(name: &str, waited: Duration, rolled_back: bool) -> Self {
        let (rows, holders, advisory_lock) = (Vec::new(), Vec::new(), Some(name.to_owned()));
        Attempt { table: String::new(), advisory_lock, rows, waited, holders, rolled_back }
    }

    /// Returns the [canonical text](crate::AdvisoryName::text) of the advisory lock that the call waited for; `None` if it waited for rows.
    #[must_use]
    pub fn advisory_lock(&self) -> Option<&str> {
        self.advisory_lock.as_deref()
    }

    /// Returns the table whose rows were being locked, as it is written in SQL; empty for an advisory lock.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the rows of the table that were requested by instance or key. At least one of them was held by another session,
    /// unless a query of the set chose the row that was held.
    #[must_use]
    pub fn rows(&self) -> &[RowName] {
        &self.rows
    }

    /// Returns the time since the start of the whole call.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Returns the sessions that held the rows; empty unless [`name_holders`](crate::LockSet::name_holders) was set.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Returns whether the call rolled itself back, so that the transaction goes on as if it had not been made.
    #[must_use]
    pub fn rolled_back(&self) -> bool {
        self.rolled_back
    }
}

impl LockError {
    /// Adds the attempt to the errors that can end a wait; returns every other error unchanged.
    pub(crate) fn at(self, attempt: impl FnOnce() -> Attempt) -> Self {
        let attempt = || Some(Box::new(attempt()));
        match self {
            LockError::TimedOut { source, .. } => LockError::TimedOut { attempt: attempt(), source },
            LockError::Deadlock { source, .. } => LockError::Deadlock { attempt: attempt(), source },
            LockError::Canceled { source, .. } => LockError::Canceled { attempt: attempt(), source },
            LockError::Serialization { source, .. } => LockError::Serialization { attempt: attempt(), source },
            error => error,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms waiting for ", self.waited.as_millis())?;
        match &self.advisory_lock {
            Some(name) => write!(f, "the advisory lock {name:?}")?,
            None => write!(f, "rows of {}", self.table)?,
        }
        if !self.rows.is_empty() {
            write!(f, " ({})", Listed(&self.rows))?;
        }
        self.holders.iter().try_for_each(|holder| write!(f, "; {holder}"))
    }
}

/// A session that holds a lock, as far as the server reports it.
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let (conn, other) = (&mut establish(), &mut establish());
/// # let held = AdvisoryLock::named("monthly report").acquire(other).unwrap();
/// let lock = AdvisoryLock::named("monthly report");
/// for holder in lock.holders(conn).unwrap() {
///     println!("session {}: {:?}", holder.session(), holder.state());
/// }
/// # drop(held);
/// # }
/// ```
///
/// On PostgreSQL it comes from `pg_locks` and [`pg_stat_activity`][activity], by the transaction that marked the row. If that leads
/// to no session, because the lock was taken in a savepoint that has been released since or is shared by several sessions, every
/// session is named that has written something and holds a lock on the table. The statement of another role's session is shown only to
/// that role, to members of `pg_read_all_stats` and to superusers.
///
/// On MySQL it is any session that holds record locks of the table, from [`performance_schema.data_locks`][data_locks], if the user may
/// `SELECT` from that. MariaDB does not report the table of a lock. There it is any session of the database whose transaction holds row
/// locks and does not wait itself, from [`INNODB_TRX`][trx], if the user has the privilege `PROCESS`. This takes a tenth of a second,
/// or three if no session is named at first and there is time for it.
///
/// [activity]: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
/// [data_locks]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-data-locks-table.html
/// [trx]: https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-innodb-tables/information-schema-innodb_trx-table
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    id: i32,
    session: LockSession,
}

impl Holder {
    /// Fails if the number of the session does not fit.
    pub(crate) fn new(session: LockSession) -> Result<Self, TryFromIntError> {
        Ok(Holder { id: session.id.try_into()?, session })
    }

    /// Returns the id of the session: its process id on PostgreSQL, for `pg_cancel_backend` and `pg_terminate_backend`; its connection id
    /// on MySQL and MariaDB, for `KILL`.
    #[must_use]
    pub fn session(&self) -> i32 {
        self.id
    }

    /// Returns its `application_name` on PostgreSQL, or its role if it has none, and `user@host` on MySQL and MariaDB.
    #[must_use]
    pub fn application(&self) -> &str {
        if self.session.application.is_empty() { &self.session.user } else { &self.session.application }
    }

    /// Returns the state of the session, such as `active` or `idle in transaction` on PostgreSQL, and its command, such as `Query` or
    /// `Sleep`, on MySQL and MariaDB.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.session.state.as_deref()
    }

    /// Returns the age of its open transaction.
    #[must_use]
    pub fn transaction_age(&self) -> Option<Duration> {
        self.session.transaction_age
    }

    /// Returns its current or last statement.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.session.statement.as_deref()
    }

    /// Returns all that the server reports of the session: its user, its database, and since when it is in its state, too.
    #[must_use]
    pub fn details(&self) -> &LockSession {
        &self.session
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by session {}", self.session())?;
        if !self.application().is_empty() {
            write!(f, " ({:?})", self.application())?;
        }
        if let Some(state) = self.state() {
            write!(f, ", {state}")?;
        }
        if let Some(age) = self.transaction_age() {
            write!(f, ", in a transaction of {} ms", age.as_millis())?;
        }
        if let Some(statement) = self.statement() {
            write!(f, ", at: {statement}")?;
        }
        Ok(())
    }
}
