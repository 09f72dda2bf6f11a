//! What a lock call was at when it failed: which rows, how long, and who held them.

use std::{fmt, time::Duration};

use super::{LockError, RowName, listed::Listed};

/// The part of a lock call that failed: the table it was at, what it wanted there, how long it had been waiting.
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

    /// The advisory lock that was waited for, by its [canonical text](crate::AdvisoryName::text), if it was not for rows.
    #[must_use]
    pub fn advisory_lock(&self) -> Option<&str> {
        self.advisory_lock.as_deref()
    }

    /// The table whose rows were being locked, as SQL names it; empty for an advisory lock.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The rows of that table that were asked for by instance or key; at least one of them was held by somebody else,
    /// unless a query of the set chose the row that was.
    #[must_use]
    pub fn rows(&self) -> &[RowName] {
        &self.rows
    }

    /// How long the whole call had been running.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Who held the rows; empty unless [`name_holders`](crate::LockSet::name_holders) was asked for.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Whether the call undid itself, so that the transaction goes on as if it had not been made.
    #[must_use]
    pub fn rolled_back(&self) -> bool {
        self.rolled_back
    }
}

impl LockError {
    /// Says of those errors that end a wait where it was.
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

/// A session that holds a row, as far as the server tells.
///
/// On PostgreSQL from `pg_locks` and [`pg_stat_activity`][activity], by the transaction that marked the row. If that leads
/// to nobody, because the lock was taken in a savepoint that has been released since or is shared by several sessions, every
/// session is named that has written something and holds a lock on the table. What another role runs is only shown to it, to
/// members of `pg_read_all_stats` and to superusers.
///
/// On MySQL the sessions that hold record locks of the table, as [`performance_schema.data_locks`][data_locks] tells whoever may
/// `SELECT` from it. On MariaDB, which does not tell of which table, every session of the database whose transaction holds row
/// locks and waits for nobody, as [`INNODB_TRX`][trx] tells whoever has the privilege `PROCESS`; this takes a tenth of a second,
/// three if nobody is named at first and there is time for it.
///
/// [activity]: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
/// [data_locks]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-data-locks-table.html
/// [trx]: https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-innodb-tables/information-schema-innodb_trx-table
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub(crate) session: i32,
    pub(crate) application: String,
    pub(crate) state: Option<String>,
    pub(crate) transaction_age: Option<Duration>,
    pub(crate) statement: Option<String>,
}

impl Holder {
    /// The session, as `pg_cancel_backend` and `pg_terminate_backend` take it.
    #[must_use]
    pub fn session(&self) -> i32 {
        self.session
    }

    /// Its `application_name`.
    #[must_use]
    pub fn application(&self) -> &str {
        &self.application
    }

    /// What it is doing: `active`, `idle in transaction`.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// How long its transaction has been open.
    #[must_use]
    pub fn transaction_age(&self) -> Option<Duration> {
        self.transaction_age
    }

    /// Its current or last statement.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by session {}", self.session)?;
        if !self.application.is_empty() {
            write!(f, " ({:?})", self.application)?;
        }
        if let Some(state) = &self.state {
            write!(f, ", {state}")?;
        }
        if let Some(age) = self.transaction_age {
            write!(f, ", in a transaction of {} ms", age.as_millis())?;
        }
        if let Some(statement) = &self.statement {
            write!(f, ", at: {statement}")?;
        }
        Ok(())
    }
}
