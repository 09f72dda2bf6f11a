//! Many sessions that do nothing but transfers for a given time, and what they counted.

use std::{
    fmt,
    io::IsTerminal,
    sync::{
        OnceLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};
use diesel_lockset::LockError;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    bank::{self, Bank, Transfer},
    report::Phase,
    shared::{Database, Result, until},
};

/// One way to make a transfer, in a transaction of its own.
type MakeTransfer = fn(&mut PgConnection, &Transfer) -> Result<(), LockError>;

#[derive(Clone, Copy)]
pub(crate) struct Workload<'a> {
    pub(crate) database: &'a Database,
    pub(crate) bank: &'a Bank,
    pub(crate) sessions: u32,
    pub(crate) time: Duration,
    pub(crate) interrupted: &'a AtomicBool,
}

#[derive(Default)]
struct Counts {
    transfers: AtomicU64,
    deadlocks: AtomicU64,
    retries: AtomicU64,
}

impl Workload<'_> {
    pub(crate) fn run(&self, order: &'static str, transfer: MakeTransfer) -> Result<Phase> {
        let observer = &mut self.database.connect()?;
        let money_before = bank::money(observer)?;
        let deadlocks_before = server_deadlocks(observer)?;
        let (counts, failed) = (Counts::default(), AtomicBool::new(false));
        let started = OnceLock::new(); // when all sessions are connected

        let progress = Progress::begin(order, self.time)?;
        let elapsed = || started.get().map(Instant::elapsed).unwrap_or_default();
        let is_open = || elapsed() < self.time && !self.interrupted.load(SeqCst) && !failed.load(SeqCst);
        thread::scope(|scope| {
            let work = scope.spawn(|| {
                self.database.at_once(self.sessions as usize, |session, conn| {
                    started.get_or_init(Instant::now);
                    // The same dice for every way of locking: each is given the same transfers, as far as it gets.
                    let mut dice = fastrand::Rng::with_seed(session as u64);
                    while is_open() {
                        make(conn, transfer, &self.bank.random_transfer(&mut dice), &counts, is_open)
                            .inspect_err(|_| failed.store(true, SeqCst))?;
                    }
                    Ok::<_, LockError>(())
                })
            });
            while !work.is_finished() {
                progress.show(elapsed(), &counts);
                thread::sleep(Duration::from_millis(50));
            }
            work.join().unwrap_or_else(|_| Err("the sessions panicked".into()))
        })?;
        let seconds = elapsed().as_secs_f64();
        progress.end(&counts);
        if self.interrupted.load(SeqCst) {
            return Err("interrupted".into());
        }

        // A session reports its deadlocks to the server's statistics when it ends, at the latest.
        until("the sessions are gone", || Ok(other_sessions(observer)? == 0))?;
        Ok(Phase {
            order,
            transfers: counts.transfers.into_inner(),
            deadlocks: counts.deadlocks.into_inner(),
            retries: counts.retries.into_inner(),
            seconds,
            server_deadlocks: server_deadlocks(observer)? - deadlocks_before,
            money_before,
            money_after: bank::money(observer)?,
        })
    }
}

/// Makes one transfer: again and again, until it is made or the time is up.
fn make(
    conn: &mut PgConnection,
    transfer: MakeTransfer,
    details: &Transfer,
    counts: &Counts,
    is_open: impl Fn() -> bool,
) -> Result<(), LockError> {
    loop {
        match transfer(conn, details) {
            Ok(()) => {
                counts.transfers.fetch_add(1, Relaxed);
                return Ok(());
            }
            Err(error) if error.is_retryable() => {
                if matches!(error, LockError::Deadlock { .. }) {
                    counts.deadlocks.fetch_add(1, Relaxed);
                }
                if !is_open() {
                    return Ok(());
                }
                counts.retries.fetch_add(1, Relaxed);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The deadlocks that the server has counted in this database.
fn server_deadlocks(conn: &mut PgConnection) -> QueryResult<i64> {
    sql::<BigInt>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").get_result(conn)
}

fn other_sessions(conn: &mut PgConnection) -> QueryResult<i64> {
    sql::<BigInt>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend'",
    )
    .get_result(conn)
}

/// A bar on a terminal, a line at the start and at the end elsewhere; on standard error: standard output is for the result.
struct Progress {
    bar: Option<ProgressBar>,
    order: &'static str,
}

impl Progress {
    fn begin(order: &'static str, time: Duration) -> Result<Self> {
        if !std::io::stderr().is_terminal() {
            eprintln!("{order} ...");
            return Ok(Progress { bar: None, order });
        }
        let style = ProgressStyle::with_template("{prefix:<11} [{bar:30}] {msg}")?.progress_chars("=> ");
        let bar = ProgressBar::new(ticks(time)).with_style(style).with_prefix(order);
        Ok(Progress { bar: Some(bar), order })
    }

    fn show(&self, elapsed: Duration, counts: &Counts) {
        if let Some(bar) = &self.bar {
            bar.set_message(counts.to_string());
            bar.set_position(ticks(elapsed));
        }
    }

    fn end(self, counts: &Counts) {
        match self.bar {
            Some(bar) => bar.finish_with_message(counts.to_string()),
            None => eprintln!("{}: {counts}", self.order),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} transfers, {} deadlocks", self.transfers.load(Relaxed), self.deadlocks.load(Relaxed))
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / 100).unwrap_or(u64::MAX)
}
