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

use diesel_lockset::LockError;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    backend::{Backend, MakeTransfer},
    bank::{Bank, Transfer},
    report::Phase,
    shared::{DatabaseOn, Result},
};

pub(crate) struct Workload<'a, C: Backend> {
    pub(crate) database: &'a DatabaseOn<C>,
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

impl<C: Backend> Workload<'_, C> {
    pub(crate) fn run(&self, order: &'static str, transfer: MakeTransfer<C>) -> Result<Phase> {
        let observer = &mut self.database.connect()?;
        let money_before = observer.money()?;
        let deadlocks_before = observer.deadlocks()?;
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

        Ok(Phase {
            order,
            transfers: counts.transfers.into_inner(),
            deadlocks: counts.deadlocks.into_inner(),
            retries: counts.retries.into_inner(),
            seconds,
            server_deadlocks: observer.deadlocks()? - deadlocks_before,
            server_counts_others: !C::COUNTS_DEADLOCKS_BY_DATABASE,
            money_before,
            money_after: observer.money()?,
        })
    }
}

/// Makes one transfer: again and again, until it is made or the time is up.
fn make<C>(
    conn: &mut C,
    transfer: MakeTransfer<C>,
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
