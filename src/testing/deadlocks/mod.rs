//! Reports both sides of a deadlock: the statements of each session's transaction, with their places in the code.

mod report;
mod transaction;
mod watch;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use diesel::{
    QueryResult,
    connection::{Instrumentation, get_default_instrumentation},
};

use self::{transaction::Transaction, watch::Watch};
use super::server::TestBackend;
use crate::blocking::LockConnection;

pub use self::report::{DeadlockReport, DeadlockSide, LoggedStatement};

type Hook = Box<dyn Fn(&DeadlockReport) + Send + Sync>;

/// The number of reports that are kept.
const REPORTS: usize = 16;

/// Remembers the statements of the open transaction of each watched session, and reports both sides of each deadlock.
///
/// The error of the program has the one statement that was refused. The statements that took the locks *before* are what has to be found,
/// and they are known here: of this session, and of the other ones if this process watches them too. A report is made at the moment at which
/// the server refuses the statement of one side: the last statement of each other side is the one that waited.
///
/// - PostgreSQL's error names all sessions of the deadlock. A session of another process is known by its number; [`complete`](Self::complete)
///   asks the server for its application name, and what it runs. So give each process a name of its own, as `application_name=billing-7` in
///   the URL.
/// - MySQL and MariaDB name none. The other sides are those sessions of this process that had a statement under way during the refused one:
///   *perhaps*, as [`DeadlockSide::is_certain`] says. The server's own words, with the numbers of the sessions, are in `SHOW ENGINE INNODB
///   STATUS` ([manual][innodb]), which Diesel cannot load.
///
/// [innodb]: https://dev.mysql.com/doc/refman/9.7/en/innodb-standard-monitor.html
///
/// # Limits
///
/// The log reads Diesel's instrumentation: what is sent beside Diesel is not seen. Behind a pooler that gives sessions to transactions, such
/// as pgbouncer with `pool_mode = transaction`, the number of the session is another one for each transaction: there the other sides are found
/// as on MySQL.
///
/// # Cost
///
/// [`watch`](Self::watch) sends one query. Nothing else is sent. The newest 32 statements of a transaction are kept as text, with their
/// parameters and an unresolved backtrace; places in the code are looked up for a report only. They need debug information.
///
/// # Example
///
/// ```
/// # include!("../../doctest_setup.rs");
/// use diesel_lockset::testing::DeadlockLog;
///
/// # fn main() {
/// // One for the process.
/// let deadlocks = DeadlockLog::new().on_deadlock(|report| eprintln!("{report}"));
/// // Each connection once, such as in `on_acquire` of a pool of r2d2.
/// let conn = &mut establish();
/// deadlocks.watch(conn).unwrap();
/// # assert!(deadlocks.reports().is_empty());
/// # }
/// ```
///
/// ```text
/// deadlock of 2 sessions
/// session 4711 was refused its last statement
/// │ UPDATE accounts SET balance = $1 WHERE id = $2 -- binds: [30, 1]    at src/bank.rs:12:9
/// │ UPDATE accounts SET balance = $1 WHERE id = $2 -- binds: [50, 2]    at src/bank.rs:14:9
/// session 4712
/// │ UPDATE accounts SET balance = $1 WHERE id = $2 -- binds: [10, 2]    at src/refund.rs:8:9
/// │ UPDATE accounts SET balance = $1 WHERE id = $2 -- binds: [90, 1]    at src/refund.rs:9:9
/// ```
pub struct DeadlockLog<DB: TestBackend> {
    shared: Arc<Shared>,
    backend: PhantomData<fn() -> DB>,
}

#[derive(Default)]
struct Shared {
    sessions: Mutex<BTreeMap<i64, Weak<Mutex<Transaction>>>>,
    reports: Mutex<VecDeque<DeadlockReport>>,
    hook: Option<Hook>,
}

impl<DB: TestBackend> DeadlockLog<DB> {
    /// Returns a log that watches no session.
    #[must_use]
    pub fn new() -> Self {
        DeadlockLog { shared: Arc::default(), backend: PhantomData }
    }

    /// Sets a function that is called with each report, in the thread of the statement that was refused, before its error is returned.
    ///
    /// # Panics
    ///
    /// If a connection is watched already.
    #[must_use]
    pub fn on_deadlock(mut self, hook: impl Fn(&DeadlockReport) + Send + Sync + 'static) -> Self {
        let shared = Arc::get_mut(&mut self.shared);
        shared.expect("the hook of a `DeadlockLog` is set before a connection is watched").hook = Some(Box::new(hook));
        self
    }

    /// Watches a connection from now on. It asks the server for the number of the session. The default instrumentation, if there is one, is
    /// called as well; an instrumentation that was set on the connection is replaced: use
    /// [`instrumentation_and`](Self::instrumentation_and) to keep it.
    ///
    /// # Errors
    ///
    /// Those of the query. The connection is not watched then.
    pub fn watch<C: LockConnection<Backend = DB>>(&self, conn: &mut C) -> QueryResult<()> {
        let session = DB::session(conn)?;
        conn.set_instrumentation(Watch::<DB>::new(self.shared.clone(), session, get_default_instrumentation()));
        Ok(())
    }

    /// Returns an instrumentation for the connection of this session, as for one of `diesel-async`. The number is that of
    /// `SELECT pg_backend_pid()`, or of `SELECT CONNECTION_ID()`, over the same connection.
    pub fn instrumentation(&self, session: i64) -> impl Instrumentation + use<DB> {
        Watch::<DB>::new(self.shared.clone(), session, None)
    }

    /// The same, which calls another one as well.
    pub fn instrumentation_and(&self, session: i64, other: impl Instrumentation) -> impl Instrumentation {
        Watch::<DB>::new(self.shared.clone(), session, Some(Box::new(other)))
    }

    /// Returns the newest 16 reports, the newest last.
    #[must_use]
    pub fn reports(&self) -> Vec<DeadlockReport> {
        locked(&self.shared.reports).iter().cloned().collect()
    }

    /// Asks the server for the sessions of other processes, over another connection or after the rollback: application, user, database, state
    /// and statement as of this moment. Nothing is sent if there are none.
    ///
    /// # Errors
    ///
    /// Those of the query. The report is unchanged.
    pub fn complete<C>(&self, report: &mut DeadlockReport, conn: &mut C) -> QueryResult<()>
    where
        C: LockConnection<Backend = DB>,
    {
        let unknown: Vec<i64> = report.unknown().map(|side| side.session).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = DB::sessions(conn, &unknown)?;
        for side in report.unknown() {
            side.found = found.iter().find(|found| found.id == side.session).cloned();
        }
        Ok(())
    }
}

impl Shared {
    /// Adds a session, in place of an earlier one with its number.
    fn register(&self, session: i64) -> Arc<Mutex<Transaction>> {
        let transaction = Arc::default();
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, transaction| transaction.strong_count() > 0);
        sessions.insert(session, Arc::downgrade(&transaction));
        transaction
    }

    /// Returns the transaction of a session.
    fn transaction(&self, session: i64) -> Option<Arc<Mutex<Transaction>>> {
        locked(&self.sessions).get(&session).and_then(Weak::upgrade)
    }

    /// Returns the sides of a deadlock that the server has listed.
    fn listed(&self, sessions: &[i64]) -> Vec<DeadlockSide> {
        let side = |session: &i64| {
            let known = self.transaction(*session).map(|transaction| locked(&transaction).statements());
            DeadlockSide::new(*session, true, known.unwrap_or_default())
        };
        sessions.iter().map(side).collect()
    }

    /// Returns the sides of a deadlock of this session: the others are those that were at work while its last statement was.
    fn at_work(&self, session: i64) -> Vec<DeadlockSide> {
        let mut sides = self.listed(&[session]);
        let began = self.transaction(session).and_then(|transaction| locked(&transaction).last_began());
        let all: Vec<_> = locked(&self.sessions).iter().map(|(other, it)| (*other, it.clone())).collect();
        for (other, transaction) in all.into_iter().filter(|(other, _)| *other != session) {
            let Some(transaction) = transaction.upgrade() else { continue };
            let transaction = locked(&transaction);
            if began.is_some_and(|began| transaction.was_at_work(began)) {
                sides.push(DeadlockSide::new(other, false, transaction.statements()));
            }
        }
        sides
    }

    /// Adds a report.
    fn report(&self, sides: Vec<DeadlockSide>) {
        let report = DeadlockReport { sides };
        if let Some(hook) = &self.hook {
            hook(&report);
        }
        let mut reports = locked(&self.reports);
        if reports.len() == REPORTS {
            reports.pop_front();
        }
        reports.push_back(report);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<DB: TestBackend> Default for DeadlockLog<DB> {
    fn default() -> Self {
        DeadlockLog::new()
    }
}

impl<DB: TestBackend> Clone for DeadlockLog<DB> {
    fn clone(&self) -> Self {
        DeadlockLog { shared: self.shared.clone(), backend: PhantomData }
    }
}

impl<DB: TestBackend> fmt::Debug for DeadlockLog<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlockLog").field("reports", &self.reports()).finish_non_exhaustive()
    }
}
