//! The crew: starts the workers, listens to them, kills one now and then, and puts another in its place.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    progress::Progress,
    queue::Outcome,
    shared::Result,
    worker::{Orders, Said},
};

pub(crate) struct Crew<'a> {
    /// Of the database that has the queue.
    pub(crate) url: String,
    pub(crate) orders: Orders,
    pub(crate) workers: usize,
    pub(crate) kill_every: Option<Duration>,
    pub(crate) most_kills: usize,
    /// What this program is to be started with to become a worker, besides its orders.
    pub(crate) arguments: &'a [&'a str],
    pub(crate) interrupted: &'a AtomicBool,
}

/// What was heard of the workers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    pub(crate) again: usize,
    pub(crate) dead: usize,
    pub(crate) lost: usize,
    pub(crate) kills: usize,
    /// Workers that were killed and the job that each had taken and had not reported as ended.
    pub(crate) in_hand: Vec<(String, i64)>,
    /// Until the last job ended.
    pub(crate) time: Duration,
}

/// A process. If it is still there when this is dropped, it is killed.
struct Worker {
    name: String,
    process: Child,
    /// Closed, it tells the worker to stop.
    input: Option<ChildStdin>,
    in_hand: Option<i64>,
    killed: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

type Seat = usize;

enum Event {
    Said(Said),
    Gone,
}

impl Crew<'_> {
    /// Works until no job is left or somebody interrupts.
    pub(crate) fn run(&self, progress: &Progress) -> Result<Tally> {
        let (sender, events) = mpsc::channel();
        let (begin, mut last_kill, mut shown) = (Instant::now(), Instant::now(), Instant::now());
        let (mut tally, mut hired, mut killed) = (Tally::default(), 0, 0);
        let mut hire = |seat| {
            hired += 1;
            self.hire(seat, hired, &sender)
        };
        let mut seats = (0..self.workers).map(|seat| hire(seat).map(Some)).collect::<Result<Vec<_>>>()?;
        while seats.iter().any(Option::is_some) {
            let stop = self.interrupted.load(SeqCst);
            match events.recv_timeout(Duration::from_millis(20)) {
                Ok((seat, Event::Said(said))) => {
                    if let Some(worker) = &mut seats[seat] {
                        tally.hear(worker, said, begin);
                    }
                }
                Ok((seat, Event::Gone)) => {
                    let is_to_be_replaced = seats[seat].take().map_or(Ok(false), |worker| tally.part_with(worker))?;
                    if is_to_be_replaced && !stop {
                        seats[seat] = Some(hire(seat)?);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("nobody is left to listen to".into()),
            }
            if stop {
                seats.iter_mut().flatten().for_each(|worker| drop(worker.input.take()));
            } else if killed < self.most_kills && self.is_time_for_a_kill(last_kill) && !tally.is_empty() {
                // By the clock, and one in the middle of a job if there is one. To wait for one would, at the end, hit
                // every try at the last jobs.
                let mut workers: Vec<_> = seats.iter_mut().flatten().filter(|worker| !worker.killed).collect();
                workers.sort_by_key(|worker| worker.in_hand.is_none());
                let busy = workers.iter().filter(|worker| worker.in_hand.is_some()).count();
                if let Some(victim) = workers.get_mut(fastrand::usize(..busy.max(1))) {
                    victim.kill()?;
                    (last_kill, killed) = (Instant::now(), killed + 1);
                }
            }
            if shown.elapsed() > Duration::from_millis(50) {
                shown = Instant::now();
                progress.show(&tally);
            }
        }
        Ok(tally)
    }

    fn is_time_for_a_kill(&self, last_kill: Instant) -> bool {
        self.kill_every.is_some_and(|every| last_kill.elapsed() >= every)
    }

    /// Starts a worker, whose name is that of its seat and a number that nobody had before.
    fn hire(&self, seat: Seat, number: usize, events: &Sender<(Seat, Event)>) -> Result<Worker> {
        let name = format!("{}.{number}", seat + 1);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        self.orders.give(&name, &self.url, &mut command);
        let mut process = command.spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let worker = Worker { name, process, input, in_hand: None, killed: false };

        let lines = BufReader::new(output.ok_or("a worker has an output")?).lines();
        let events = events.clone();
        thread::spawn(move || {
            let heard = lines.map_while(|line| line.ok()).filter_map(|line| Said::read(&line));
            // If nobody takes them, the crew is gone, and its workers with it.
            heard.for_each(|said| drop(events.send((seat, Event::Said(said)))));
            drop(events.send((seat, Event::Gone)));
        });
        Ok(worker)
    }
}

impl Worker {
    /// SIGKILL: the process has no say in it.
    fn kill(&mut self) -> Result<()> {
        self.killed = true;
        Ok(self.process.kill()?)
    }
}

impl Tally {
    /// Whether no job has ended yet.
    fn is_empty(&self) -> bool {
        self.time.is_zero()
    }

    fn hear(&mut self, worker: &mut Worker, said: Said, begin: Instant) {
        let outcome = match said {
            Said::Taken(job) => return worker.in_hand = Some(job),
            Said::Ended(outcome) => outcome,
        };
        worker.in_hand = None;
        self.time = begin.elapsed();
        *match outcome {
            Outcome::Done => &mut self.done,
            Outcome::Again => &mut self.again,
            Outcome::Dead => &mut self.dead,
            Outcome::Lost => &mut self.lost,
        } += 1;
    }

    /// Says whether the seat is to be taken by another.
    fn part_with(&mut self, mut worker: Worker) -> Result<bool> {
        let status = worker.process.wait()?;
        if status.success() {
            return Ok(false);
        }
        if !worker.killed {
            return Err(format!("worker {} ended by itself: {status}", worker.name).into());
        }
        self.kills += 1;
        let name = std::mem::take(&mut worker.name);
        self.in_hand.extend(worker.in_hand.map(|job| (name, job)));
        Ok(true)
    }
}
