//! The answer to the question who waits for whom, [`LockWaits`]: the sessions that wait for a lock, and those that are in their way.
//!
//! The page [When it hangs](crate::_documentation::when_it_hangs) begins with it.

mod found;
mod mermaid;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod tree;

use std::{collections::BTreeSet, time::Duration};

pub(crate) use self::found::{Found, FoundHolder, FoundWait};
use crate::advisory::AdvisoryName;
pub use crate::session::LockSession;

/// A snapshot of the sessions of a server that wait for locks, and of those that hold what they wait for.
///
/// [`snapshot`](crate::RunLockWaits::snapshot) asks the server. Its `Display` is a tree: first the sessions that block others and wait for
/// nobody, below each of them those that wait for it, and so on.
///
/// ```text
/// 2 sessions wait for a lock
/// session 4711 "billing" (ada in shop) IDLE IN TRANSACTION for 12m 3s; transaction open for 12m 5s
/// │ last: UPDATE accounts SET balance = $1 WHERE id = $2
/// └─ session 4712 "web" (ben in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 4.0s
///    │ runs: SELECT .. FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE
///    └─ session 4713 "web" (ben in shop) waits 1.1s for row (0,2) of accounts, FOR UPDATE; transaction open for 1.1s
///         runs: SELECT .. FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE
/// ```
///
/// Control characters and line breaks in names and statements are escaped, and a statement is cut after 120 characters.
///
/// # Where it comes from
///
/// | | PostgreSQL | MySQL | MariaDB |
/// | --- | --- | --- | --- |
/// | rows | [`pg_locks`][locks], [`pg_blocking_pids`][blocking] | [`performance_schema.data_lock_waits`][waits] | [`INNODB_LOCK_WAITS`][innodb] |
/// | advisory locks | the same | [`performance_schema.metadata_locks`][metadata] | the session only: `User lock` in the process list |
/// | tables | the same | the same | the session only |
/// | sessions | [`pg_stat_activity`][activity] | `performance_schema.threads` | the process list |
/// | right | none; `pg_read_all_stats` for what other roles' sessions do | `SELECT` on `performance_schema` | `PROCESS` |
///
/// It is about the whole server. [`limits`](Self::limits) says what could not be seen. The views of a server are not read at one moment: a
/// session that has just got its lock may still be listed, and one that has just begun to wait may be absent. MariaDB repeats its
/// information about row locks until nobody has asked for it for a tenth of a second.
///
/// Tested on PostgreSQL 14, 15 and 18, MySQL 9.7, MariaDB 10.11 and 11.8. PostgreSQL before 14 does not have the beginning of a wait, and
/// refuses the query.
///
/// [locks]: https://www.postgresql.org/docs/current/view-pg-locks.html
/// [blocking]: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
/// [activity]: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
/// [waits]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-data-lock-waits-table.html
/// [metadata]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-metadata-locks-table.html
/// [innodb]: https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-innodb-tables/information-schema-innodb_lock_waits-table
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct LockWaits {
    /// The sessions that wait or are waited for, by their id.
    pub sessions: Vec<LockSession>,
    /// The waits, by the id of the session that waits.
    pub waits: Vec<LockWait>,
    /// The things that could not be seen, and the right that each would take. Empty if the server has shown everything.
    pub limits: Vec<String>,
}

/// A session that waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LockWait {
    /// The id of the session that waits.
    pub waiter: i64,
    /// The ids of the sessions that hold the lock, in a mode that conflicts. Empty if the server does not report them. On PostgreSQL the first
    /// session that waits for a row is the one that those behind it wait for.
    pub holders: Vec<i64>,
    /// The ids of the sessions that wait for the same lock and come first.
    pub ahead: Vec<i64>,
    /// The kind of the lock.
    pub kind: LockKind,
    /// The table, as it is written in SQL, if the server reports it.
    pub table: Option<String>,
    /// On MySQL and MariaDB the index whose record is locked.
    pub index: Option<String>,
    /// The row: on PostgreSQL the `ctid` of its version (`SELECT .. WHERE ctid = '(0,2)'`), on MySQL and MariaDB the values of the index
    /// columns. The number or the name of an advisory lock.
    pub key: Option<String>,
    /// The [text](AdvisoryName::text) of an advisory lock of this crate, after [`LockWaits::named`].
    pub advisory_lock: Option<String>,
    /// The mode of the lock that is wanted: `FOR UPDATE` and so on for a row on PostgreSQL, else in the words of the server.
    pub mode: Option<String>,
    /// The time for which it has waited; on MySQL, and for advisory locks and tables on MariaDB, the time for which its statement has run.
    pub waited: Option<Duration>,
}

/// The kind of a lock that a session waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LockKind {
    /// A row.
    Row,
    /// The end of another transaction, on PostgreSQL: it has inserted the same key, or locked a row that the server does not report.
    Transaction,
    /// A whole table: another session alters it, or waits until it can.
    Table,
    /// An advisory lock.
    Advisory,
    /// Another kind of lock, in the word of the server.
    Other(String),
}

impl LockWaits {
    /// Returns whether no session is seen to wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Returns the session with this id.
    #[must_use]
    pub fn session(&self, id: i64) -> Option<&LockSession> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// Returns the sessions that block others and wait for nobody: whoever ends them, or what they do, lets others go on.
    ///
    /// In a circle of waits there is none. The server resolves a circle among rows after a moment.
    #[must_use]
    pub fn roots(&self) -> Vec<&LockSession> {
        let blockers: BTreeSet<i64> = self.waits.iter().flat_map(LockWait::blockers).collect();
        let waits = |id: i64| self.waits.iter().any(|wait| wait.waiter == id);
        self.sessions.iter().filter(|session| blockers.contains(&session.id) && !waits(session.id)).collect()
    }

    /// Gives advisory locks their names: the server has a hash of the name only, from which the name cannot be told.
    ///
    /// ```no_run
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let report = AdvisoryLock::named("nightly-report");
    /// let names = [report, AdvisoryLock::id::<Account>(1)];
    /// let names = names.iter().map(AdvisoryLock::name);
    /// let waits = LockWaits::snapshot(conn)?.named(names);
    /// # Ok(()) }) }
    /// ```
    pub fn named<'n>(mut self, names: impl IntoIterator<Item = &'n AdvisoryName>) -> Self {
        let LockWaits { sessions, waits, .. } = &mut self;
        for name in names {
            for wait in waits.iter_mut().filter(|wait| wait.kind == LockKind::Advisory) {
                let of = sessions.iter().find(|session| session.id == wait.waiter);
                let database = of.and_then(|session| session.database.as_deref()).unwrap_or_default();
                if wait.key.as_ref().is_some_and(|key| *key == name.key().to_string() || *key == name.key_in(database))
                {
                    wait.advisory_lock = Some(name.text().to_owned());
                }
            }
        }
        self
    }

    /// Returns the snapshot as a flowchart of [Mermaid](https://mermaid.js.org/syntax/flowchart.html): a node for each session, an arrow
    /// from each session to those it waits for.
    ///
    /// All text of the server, such as an `application_name`, is escaped.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::flowchart(self)
    }
}

impl LockWait {
    /// Returns the ids of the sessions that must let go first: the holders, and those ahead.
    fn blockers(&self) -> impl Iterator<Item = i64> + '_ {
        self.holders.iter().chain(&self.ahead).copied()
    }
}
