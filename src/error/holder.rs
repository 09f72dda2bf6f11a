//! A session that holds a lock.

use std::{fmt, num::TryFromIntError, time::Duration};

use crate::session::LockSession;

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
/// The session of an advisory lock is [certain](Self::is_certain). That of a row is not always; the text then begins with "perhaps".
///
/// On PostgreSQL it comes from `pg_locks` and [`pg_stat_activity`][activity], by the transaction that marked the row. If that leads
/// to no session, because the lock was taken in a savepoint that has been released since or is shared by several sessions, every
/// session is named that has written something and holds a lock on the table or on a part of it. The statement of another role's session
/// is shown only to that role, to members of `pg_read_all_stats` and to superusers.
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
    evidence: Evidence,
}

/// The reason why a session is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "of one backend only")]
pub(crate) enum Evidence {
    /// The server says that it holds the lock.
    Told,
    /// It is among all the sessions that may hold the lock.
    OneOfAll,
    /// It is among some of the sessions that may hold the lock.
    OneOfSome,
}

impl Holder {
    /// Fails if the number of the session does not fit.
    pub(crate) fn new(session: LockSession, evidence: Evidence) -> Result<Self, TryFromIntError> {
        Ok(Holder { id: session.id.try_into()?, session, evidence })
    }

    /// Draws the conclusion from a list with nobody else in it.
    pub(crate) fn conclude(holders: &mut [Holder]) {
        if let [Holder { evidence: evidence @ Evidence::OneOfAll, .. }] = holders {
            *evidence = Evidence::Told;
        }
    }

    /// Writes a list behind the text of an error.
    pub(super) fn list(holders: &[Holder], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        holders.iter().try_for_each(|holder| {
            f.write_str("; ")?;
            fmt::Display::fmt(holder, f)
        })
    }

    /// Returns whether the session held a requested lock when the server was asked. If not, it is one of those that may have held it:
    /// do not name it to a user as the one who is in the way.
    ///
    /// | server | a row's holder is certain |
    /// | --- | --- |
    /// | PostgreSQL | unless the row was locked by several sessions, or in a savepoint that is released (a nested transaction, a timeout with [`name_holders`](crate::LockSet::name_holders)) and more than one session, or a prepared transaction, has locks on the table |
    /// | MySQL | if only one session has record locks on the table |
    /// | MariaDB | never: the server does not tell the table of a lock |
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.evidence == Evidence::Told
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

/// Without the statement, which may have values in it that a log must not show; the alternate form, `{:#}`, has it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let perhaps = if self.is_certain() { "" } else { "perhaps " };
        write!(f, "{perhaps}held by session {}", self.session())?;
        if !self.application().is_empty() {
            write!(f, " ({:?})", self.application())?;
        }
        if let Some(state) = self.state() {
            write!(f, ", {state}")?;
        }
        if let Some(age) = self.transaction_age() {
            write!(f, ", in a transaction of {} ms", age.as_millis())?;
        }
        let statement = self.statement().filter(|_| f.alternate());
        statement.map_or(Ok(()), |statement| write!(f, ", at: {statement}"))
    }
}
