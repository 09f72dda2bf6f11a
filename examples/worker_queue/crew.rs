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
    shared::Result,
    tally::Tally,
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
                    let Some(worker) = &mut seats[seat] else { continue };
                    match said {
                        Said::Taken(job) => worker.in_hand = Some(job),
                        Said::Ended(outcome) => {
                            worker.in_hand = None;
                            tally.count(outcome, begin.elapsed());
                        }
                    }
                }
                Ok((seat, Event::Gone)) => {
                    let Some(mut worker) = seats[seat].take() else { continue };
                    if self.was_killed(&mut worker)? {
                        tally.kills += 1;
                        tally.in_hand.extend(worker.in_hand.map(|job| (worker.name.clone(), job)));
                        seats[seat] = if stop { None } else { Some(hire(seat)?) };
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("nobody is left to listen to".into()),
            }
            if stop {
                seats.iter_mut().flatten().for_each(|worker| drop(worker.input.take()));
            } else if self.kill_every.is_some_and(|every| last_kill.elapsed() >= every) && killed < self.most_kills {
                // By the clock. To wait for somebody who has a job in hand would, at the end, hit every try at the last
                // jobs, and so many lost tries are as good as dead.
                if let Some(victim) = victim(&mut seats).filter(|_| !tally.time.is_zero()) {
                    victim.killed = true;
                    victim.process.kill()?; // SIGKILL: the process has no say in it
                    killed += 1;
                }
                last_kill = Instant::now();
            }
            if shown.elapsed() > Duration::from_millis(50) {
                shown = Instant::now();
                progress.show(&tally);
            }
        }
        Ok(tally)
    }

    /// Whether a worker that is gone, or is about to be, has been killed by us. One that neither was nor did what it was told
    /// is an error.
    fn was_killed(&self, worker: &mut Worker) -> Result<bool> {
        let status = worker.process.wait()?;
        // Ctrl-C is for all of the terminal's processes, and may come before this one knew what to do about it.
        let is_interrupted = self.interrupted.load(SeqCst) && status.code().is_none();
        match status.success() {
            false if worker.killed => Ok(true),
            false if !is_interrupted => Err(format!("worker {} ended by itself: {status}", worker.name).into()),
            _ => Ok(false),
        }
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

/// Anybody who has a job in hand, as far as was heard; or just anybody.
fn victim(seats: &mut [Option<Worker>]) -> Option<&mut Worker> {
    let alive = seats.iter_mut().flatten().filter(|worker| !worker.killed);
    let (busy, idle): (Vec<_>, Vec<_>) = alive.partition(|worker| worker.in_hand.is_some());
    let mut workers = if busy.is_empty() { idle } else { busy };
    if workers.is_empty() { None } else { Some(workers.swap_remove(fastrand::usize(..workers.len()))) }
}
