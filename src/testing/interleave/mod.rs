//! Runs closures over connections of their own in every order of their statements, and compares each outcome with those of the serial
//! orders.

mod anomaly;
mod deadlock;
mod error;
mod explore;
mod judge;
mod relay;
mod report;
mod run;
mod schedule;
mod search;
mod session;
mod settle;
mod verdict;

use std::{error::Error, fmt, time::Duration};

use self::search::Faults;
use crate::{blocking::LockConnection, error::RetryClass, testing::server::TestBackend, transaction::ClosureError};

pub use self::{
    anomaly::Anomaly,
    error::InterleaveError,
    report::{Coverage, Finding, Outcome, Report},
    schedule::Schedule,
    verdict::CircleVerdict,
};

/// More sessions have too many serial orders.
const MOST_SESSIONS: usize = 5;

type BoxError = Box<dyn Error + Send + Sync>;
type Fallible<'a, C, T = ()> = Box<dyn Fn(&mut C) -> Result<T, BoxError> + Send + Sync + 'a>;
type Invariant<'a, O> = Box<dyn Fn(&O) -> bool + Send + Sync + 'a>;
type Action<'a, C> = Box<dyn Fn(&mut C) -> Ended + Send + Sync + 'a>;

/// The end of a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Ok(String),
    Failed(String, Option<RetryClass>),
    Panicked(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Ok(value) => write!(f, "Ok({value})"),
            Ended::Failed(error, _) => write!(f, "Err({error})"),
            Ended::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}

struct Member<'a, C> {
    name: String,
    action: Action<'a, C>,
}

#[derive(Debug, Clone)]
struct Options {
    max_schedules: usize,
    samples: usize,
    preemptions: usize,
    seed: u64,
    step_timeout: Duration,
    faults: Faults,
    allowed: Vec<Anomaly>,
}

/// Closures over connections of their own, which are run in every order of their statements, each time from the same rows.
///
/// Each closure is a *session*: it runs on a thread of its own, over a connection of its own, and stops in front of each statement that
/// Diesel sends, `COMMIT` and `ROLLBACK` included, until it has the turn. A statement that waits for another session's lock yields the
/// turn: the server is asked whether the session waits. The decisions are taken at run time, so a closure may branch on what it reads.
/// After each run `observe` reads the rows. What it returns, together with what the closures return, is compared with the outcomes of all
/// *serial orders*, in which one closure runs after the other, on the same server. An outcome that none of them has is a [`Finding`].
///
/// `BEGIN`, `SAVEPOINT` and `RELEASE SAVEPOINT` are steps that are sent as soon as it is their session's turn to reach them: they take
/// neither a lock nor a snapshot, so their place among the statements of others makes no difference.
///
/// # Coverage
///
/// If there are up to [`max_schedules`](Self::max_schedules) orders, all are run: 1,000 by default, so that two sessions of six statements
/// each (924 orders) are covered. Otherwise [`samples`](Self::samples) orders are drawn at random, with a limited number of
/// [`preemptions`](Self::preemptions). [`Report::coverage`] tells which of the two it was.
///
/// # What the closures may do
///
/// A closure is called once per run, so it must not change anything but the database. It must be deterministic: what it does depends on
/// what it reads only. Times and random values in what it returns, or in what `observe` returns, make outcomes unequal. It sends its
/// statements over the connection that it is given; a statement over any other connection is no step. If it replaces the connection's
/// instrumentation, it does not stop any more. A default instrumentation
/// ([`set_default_instrumentation`](diesel::connection::set_default_instrumentation)) is called as usual.
///
/// # Requirements
///
/// The sessions run on real rows: use a database or tables of the test's own, such as [`TestDatabase`](super::TestDatabase). The user of
/// the url must be allowed to see who waits: on MySQL tables of `performance_schema`, on MariaDB the privilege `PROCESS`. On PostgreSQL a
/// superuser's deadlocks take milliseconds, those of others `deadlock_timeout`. On PostgreSQL the sessions run with `synchronous_commit =
/// off`.
///
/// # Example: find a lost update
///
/// ```
/// # include!("../../doctest_setup.rs");
/// use diesel_lockset::testing::{Anomaly, Interleave, TestDatabase};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let url = std::env::var("PG_DATABASE_URL")?;
/// use diesel::connection::SimpleConnection;
///
/// fn deposit(conn: &mut PgConnection, amount: i32) -> QueryResult<()> {
///     conn.transaction(|conn| {
///         let account = accounts::table.find(1);
///         let balance: i32 = account.select(accounts::balance).first(conn)?;
///         diesel::update(account)
///             .set(accounts::balance.eq(balance + amount))
///             .execute(conn)?;
///         Ok(())
///     })
/// }
///
/// let database = TestDatabase::<PgConnection>::create(&url)?;
/// database.execute(
///     "CREATE TABLE accounts (
///          id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL)",
/// )?;
///
/// let report = Interleave::<PgConnection>::new(database.url())
///     .setup(|conn| {
///         conn.batch_execute(
///             "DELETE FROM accounts;
///              INSERT INTO accounts VALUES (1, 'Ada', 100)",
///         )
///     })
///     .session("alice", |conn| deposit(conn, 10))
///     .session("bob", |conn| deposit(conn, 20))
///     .observe(|conn| accounts::table.select(accounts::balance).load::<i32>(conn))
///     .run()?;
/// assert_eq!(report.anomalies(), [Anomaly::LostUpdate]);
/// // The order of statements that loses a deposit, and how to run it again.
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is run before `run` or `replay` is called"]
pub struct Interleave<'a, C, O = ()> {
    url: String,
    setup: Fallible<'a, C>,
    prepare: Fallible<'a, C>,
    observe: Fallible<'a, C, O>,
    invariants: Vec<Invariant<'a, O>>,
    sessions: Vec<Member<'a, C>>,
    options: Options,
}

impl<'a, C> Interleave<'a, C>
where
    C: LockConnection<Backend: TestBackend>,
{
    /// Returns a bench without sessions for the database at this url.
    pub fn new(url: impl Into<String>) -> Self {
        let options = Options {
            max_schedules: 1_000,
            samples: 500,
            preemptions: 3,
            seed: 0,
            step_timeout: Duration::from_secs(20),
            faults: Faults::default(),
            allowed: Vec::new(),
        };
        let nothing = || Box::new(|_: &mut C| Ok(()));
        Interleave {
            url: url.into(),
            setup: nothing(),
            prepare: nothing(),
            observe: nothing(),
            invariants: Vec::new(),
            sessions: Vec::new(),
            options,
        }
    }
}

impl<'a, C, O> Interleave<'a, C, O>
where
    C: LockConnection<Backend: TestBackend>,
{
    /// Sets the function that resets the rows before each run, over a connection that is none of the sessions'.
    pub fn setup<T, E: Into<BoxError>>(mut self, setup: impl Fn(&mut C) -> Result<T, E> + Send + Sync + 'a) -> Self {
        self.setup = Box::new(move |conn| setup(conn).map(drop).map_err(Into::into));
        self
    }

    /// Sets a function that is called for the new connection of each session before its closure, such as one that sets an isolation level.
    /// Its statements are no steps.
    pub fn prepare<T, E: Into<BoxError>>(
        mut self,
        prepare: impl Fn(&mut C) -> Result<T, E> + Send + Sync + 'a,
    ) -> Self {
        self.prepare = Box::new(move |conn| prepare(conn).map(drop).map_err(Into::into));
        self
    }

    /// Adds a session. What its closure returns belongs to the outcome, compared by its `Debug` text; of an error, the `Display` text.
    ///
    /// The closure may return any error that the closure of a [`LockTransaction`](crate::LockTransaction) may return.
    pub fn session<T, E, Kind>(
        mut self,
        name: impl Into<String>,
        action: impl Fn(&mut C) -> Result<T, E> + Send + Sync + 'a,
    ) -> Self
    where
        T: fmt::Debug,
        E: ClosureError<Kind>,
    {
        let action: Action<'a, C> = Box::new(move |conn| match action(conn) {
            Ok(value) => Ended::Ok(format!("{value:?}")),
            Err(error) => Ended::Failed(error.as_error().to_string(), RetryClass::of(error.as_error())),
        });
        self.sessions.push(Member { name: name.into(), action });
        self
    }

    /// Sets the function that reads the rows after each run, when all sessions have ended. Call it in front of
    /// [`invariant`](Self::invariant): the conditions on what another function returns are dropped.
    pub fn observe<O2, E: Into<BoxError>>(
        self,
        observe: impl Fn(&mut C) -> Result<O2, E> + Send + Sync + 'a,
    ) -> Interleave<'a, C, O2> {
        let Interleave { url, setup, prepare, sessions, options, observe: _, invariants: _ } = self;
        let observe = Box::new(move |conn: &mut C| observe(conn).map_err(Into::into));
        Interleave { url, setup, prepare, observe, invariants: Vec::new(), sessions, options }
    }

    /// Adds a condition on what `observe` returns. An outcome that breaks it is an [`Anomaly::BrokenInvariant`], even if a serial order
    /// leads to it too: what a single session does wrong by itself is in every serial order.
    pub fn invariant(mut self, invariant: impl Fn(&O) -> bool + Send + Sync + 'a) -> Self {
        self.invariants.push(Box::new(invariant));
        self
    }

    /// Sets the number of orders up to which all are run; 1,000 by default.
    pub fn max_schedules(mut self, schedules: usize) -> Self {
        self.options.max_schedules = schedules;
        self
    }

    /// Sets the number of orders that are drawn if there are more than [`max_schedules`](Self::max_schedules); 500 by default.
    pub fn samples(mut self, samples: usize) -> Self {
        self.options.samples = samples;
        self
    }

    /// Sets the largest number of times that an order which is drawn takes the turn from a session that could go on; 3 by default.
    pub fn preemptions(mut self, preemptions: usize) -> Self {
        self.options.preemptions = preemptions;
        self
    }

    /// Sets the seed of the orders that are drawn; 0 by default. One seed draws the same decisions, as long as the server lets the sessions
    /// go on in the same order: of several sessions that wait for one row PostgreSQL may let go any first, and of a deadlock's sessions any
    /// server chooses the victim.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Sets the time after which a session that neither stops, nor ends, nor waits for one that could go on is an error,
    /// [`InterleaveError::Stuck`]; 20 seconds by default.
    pub fn step_timeout(mut self, time: Duration) -> Self {
        self.options.step_timeout = time;
        self
    }

    /// Also kills a session (`pg_terminate_backend`, `KILL CONNECTION`) in front of each of its statements, once per run.
    ///
    /// The rows must then be those of a serial order of the other sessions, with the killed one or without it. Else the finding is
    /// [`Anomaly::NotAtomic`].
    pub fn kill_at_every_step(mut self) -> Self {
        self.options.faults.kills = true;
        self
    }

    /// Also loses the answer to a `COMMIT`, once per run: the server has committed, and the session's connection is lost. The sessions are
    /// connected through a relay on `127.0.0.1` that reads their requests: the url must have a host, and the server take connections without
    /// TLS.
    ///
    /// The rows must then be those of a serial order, with the session or without it. A closure that does its work once more over another
    /// connection, because it takes the error for a rollback, has done more: [`Anomaly::NotAtomic`].
    pub fn lose_answers_to_commits(mut self) -> Self {
        self.options.faults.losses = true;
        self
    }

    /// Makes [`Report::assert_serializable`] accept findings of this kind, such as [`Anomaly::Deadlock`] if the caller of the
    /// code retries.
    pub fn allow(mut self, anomaly: Anomaly) -> Self {
        self.options.allowed.push(anomaly);
        self
    }
}

impl<C, O> fmt::Debug for Interleave<'_, C, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.sessions.iter().map(|session| &session.name).collect();
        f.debug_struct("Interleave").field("sessions", &names).field("options", &self.options).finish_non_exhaustive()
    }
}
