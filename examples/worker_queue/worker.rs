//! A worker: a process of its own, which does one job after the other until none is left or it is told to stop.
//!
//! What it does it says on standard output, a line for each thing. It is told to stop by a signal, or by the end of its
//! standard input, which comes too if whoever started it is no more.

use std::{
    env,
    io::{self, Write},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use clap::ValueEnum;
use diesel::{
    connection::SimpleConnection,
    dsl::{exists, select},
    prelude::*,
};

use crate::{
    held, lease,
    queue::{self, Outcome},
    shared::{Conn, ON_MYSQL, Result},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// The job's row is locked while the work goes on.
    Held,
    /// The job is marked as taken for some time.
    Lease,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Variant::Held => "held",
            Variant::Lease => "lease",
        }
    }
}

/// What all workers are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) variant: Variant,
    /// How long a job that was taken is not given to others.
    pub(crate) lease: Duration,
    /// How long the work on a job takes.
    pub(crate) takes: Duration,
}

const ORDERS: &str = "WORKER_QUEUE_ORDERS";
const DATABASE: &str = "WORKER_QUEUE_DATABASE";

impl Orders {
    /// By the environment, which works for the example as well as for its tests; and unlike arguments, nobody else can read
    /// there what is in the URL.
    pub(crate) fn give(&self, name: &str, url: &str, command: &mut Command) {
        let Orders { variant, lease, takes } = self;
        let orders = format!("{name} {variant:?} {} {}", lease.as_millis(), takes.as_micros());
        command.env(ORDERS, orders).env(DATABASE, url);
    }

    /// The name and the orders, if this process is to be a worker.
    fn read() -> Result<Option<(String, Self)>> {
        let Ok(orders) = env::var(ORDERS) else { return Ok(None) };
        let words: Vec<_> = orders.split(' ').collect();
        let [name, variant, lease, takes] = words[..] else { return Err("not the orders of a worker".into()) };
        let orders = Orders {
            variant: Variant::from_str(variant, true)?,
            lease: Duration::from_millis(lease.parse()?),
            takes: Duration::from_micros(takes.parse()?),
        };
        Ok(Some((name.to_owned(), orders)))
    }
}

/// Works, if this process was started as a worker, and says whether it was.
pub(crate) fn work_if_told_to() -> Result<bool> {
    let Some((name, orders)) = Orders::read()? else { return Ok(false) };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let input_ended = Arc::clone(&stop);
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        input_ended.store(true, SeqCst);
    });
    let conn = &mut Conn::establish(&env::var(DATABASE)?)?;
    if ON_MYSQL {
        // PostgreSQL's default. Theirs is REPEATABLE READ, under which a job that changed after the transaction's first
        // look is an error to MariaDB from 11.6.2 on, where a queue wants the next job.
        conn.batch_execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
    }
    work(&name, &orders, &stop, conn)?;
    Ok(true)
}

/// The stop is looked at between two jobs: the one in hand is always brought to its end.
fn work(name: &str, orders: &Orders, stop: &AtomicBool, conn: &mut Conn) -> Result<()> {
    say("")?; // ends whatever line a test runner has begun
    while !stop.load(SeqCst) {
        let on_taken = |job: &queue::Job| say(&format!("taken {}", job.id));
        let tried = match orders.variant {
            Variant::Held => held::step(name, orders.takes, on_taken, conn)?,
            Variant::Lease => lease::step(name, (orders.takes, orders.lease), on_taken, conn)?,
        };
        match tried {
            Some((job, outcome)) => say(&format!("{} {}", word(outcome), job.id))?,
            None if !select(exists(queue::left())).get_result::<bool>(conn)? => break,
            // What is left is in other hands or not due. A long-lived worker would LISTEN, and wake up for a NOTIFY.
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
    Ok(())
}

/// Fails if nobody listens any more.
fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// What a worker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Taken(i64),
    Ended(Outcome),
}

const OUTCOMES: [Outcome; 4] = [Outcome::Done, Outcome::Again, Outcome::Dead, Outcome::Lost];

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Again => "again",
        Outcome::Dead => "dead",
        Outcome::Lost => "lost",
    }
}

impl Said {
    /// `None` for what others print, such as a test runner.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (first, id) = line.split_once(' ')?;
        let id = id.parse().ok()?;
        let outcome = || OUTCOMES.into_iter().find(|outcome| word(*outcome) == first).map(Said::Ended);
        if first == "taken" { Some(Said::Taken(id)) } else { outcome() }
    }
}
