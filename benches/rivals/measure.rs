//! The order of the slices, and what they come to.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};

use crate::{
    median::median,
    operation::Operation,
    shared::{Result, until},
    slice::{Outcome, Slice},
    trips,
    ways::{Ground, Way},
};

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// How long a slice of Diesel by hand takes, about.
    pub(crate) time: Duration,
}

/// What one way of doing an operation came to.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) way: Way,
    /// Round trips of one call.
    pub(crate) trips: Option<u32>,
    pub(crate) outcomes: Vec<Outcome>,
    /// As the server counted them.
    pub(crate) deadlocks: i64,
    /// Calls that are not in the database, though nothing failed.
    pub(crate) lost: i64,
    /// Why it came to nothing.
    pub(crate) failure: Option<String>,
}

impl Line {
    pub(crate) fn rate(&self) -> f64 {
        median(self.outcomes.iter().map(Outcome::rate))
    }

    /// The ratios to another way, round by round.
    fn ratios<'a>(&'a self, other: &'a Line) -> impl Iterator<Item = f64> + Clone + 'a {
        self.outcomes.iter().zip(&other.outcomes).map(|(ours, theirs)| ours.rate() / theirs.rate())
    }

    /// The median of the ratios, the lowest and the highest.
    pub(crate) fn ratio(&self, other: &Line) -> (f64, f64, f64) {
        let ratios = self.ratios(other);
        let low = ratios.clone().fold(f64::INFINITY, f64::min);
        (median(ratios.clone()), low, ratios.fold(0.0, f64::max))
    }

    pub(crate) fn sum(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.outcomes.iter().map(of).sum()
    }
}

/// All ways to do an operation with so many sessions. The first is Diesel by hand.
#[derive(Debug, Clone)]
pub(crate) struct Contest {
    pub(crate) operation: Operation,
    pub(crate) sessions: u32,
    pub(crate) lines: Vec<Line>,
}

/// A slice ends after this time even if calls are left: deadlocks last for a second each.
const LIMIT: Duration = Duration::from_secs(2);

impl Plan {
    pub(crate) fn run(
        &self,
        ground: &mut Ground<'_>,
        conn: &mut PgConnection,
        stop: &AtomicBool,
    ) -> Result<Vec<Contest>> {
        let mut contests = Vec::new();
        for operation in Operation::ALL {
            let mut trips = Vec::new();
            for way in Way::of(operation) {
                trips.push(trips::of(*way, operation, ground, conn));
            }
            for sessions in operation.sessions() {
                eprintln!("{operation}, {sessions} at once");
                let mut contest = self.contest(operation, *sessions, ground, conn, stop)?;
                for (line, trips) in contest.lines.iter_mut().zip(&trips) {
                    match trips {
                        Ok(trips) => line.trips = Some(*trips),
                        Err(error) => line.failure = line.failure.take().or_else(|| Some(error.to_string())),
                    }
                }
                contests.push(contest);
            }
        }
        Ok(contests)
    }

    /// Lets each way make the same number of calls in each round, one after the other, each round beginning with another way.
    fn contest(
        &self,
        operation: Operation,
        sessions: u32,
        ground: &mut Ground<'_>,
        conn: &mut PgConnection,
        stop: &AtomicBool,
    ) -> Result<Contest> {
        let line = |way: &Way| Line { way: *way, trips: None, outcomes: vec![], deadlocks: 0, lost: 0, failure: None };
        let mut lines: Vec<Line> = Way::of(operation).iter().map(line).collect();
        let mut slice = Slice { operation, sessions, calls: u32::MAX, limit: self.time / 2, seed: 0 };
        ground.ready(Way::Diesel, operation, u64::MAX / 2, conn)?;
        let tried = ground.run(Way::Diesel, &slice, ground.url)?;
        // A quarter of the backlog at most, so that it is not made anew for each slice.
        let most = f64::from(ground.backlog.rows) / 4.0 / f64::from(operation.units().max(1));
        let calls = (tried.rate() * self.time.as_secs_f64()).min(most) / f64::from(sessions);
        slice = Slice { calls: (calls as u32).max(3), limit: LIMIT, ..slice };
        for round in 0..self.rounds {
            slice.seed = u64::from(round) + 1;
            let count = lines.len();
            for place in 0..count {
                let line = &mut lines[(place + round as usize) % count];
                if stop.load(SeqCst) {
                    return Err("interrupted".into());
                }
                if line.failure.is_none() {
                    line.add(&slice, ground, conn)?;
                }
            }
        }
        Ok(Contest { operation, sessions, lines })
    }
}

impl Line {
    /// Runs a slice, and compares what it says with what the database says.
    fn add(&mut self, slice: &Slice, ground: &mut Ground<'_>, conn: &mut PgConnection) -> Result<()> {
        let (way, operation) = (self.way, slice.operation);
        let units = i64::from(operation.units());
        let jobs = u64::from((slice.calls + 10) * slice.sessions * operation.units());
        ground.ready(way, operation, jobs, conn)?;
        let (done, deadlocks) = (ground.done(way, operation, conn)?, deadlocks(conn)?);
        let outcome = match ground.run(way, slice, ground.url) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.failure = Some(error.to_string());
                return Ok(());
            }
        };
        self.deadlocks += self::deadlocks(conn)? - deadlocks;
        let (Some(before), Some(after)) = (done, ground.done(way, operation, conn)?) else {
            return Err(format!("{way}: {operation}: the balances contradict each other").into());
        };
        let lost = i64::try_from(outcome.calls + outcome.warm)? * units - (after - before);
        if lost != 0 && operation != Operation::NoTransaction {
            return Err(format!("{way}: {operation}: {lost} calls are not in the database").into());
        }
        self.lost += lost;
        self.outcomes.push(outcome);
        Ok(())
    }
}

/// Returns the deadlocks of this database, when all other sessions are gone: they report theirs when they end.
fn deadlocks(conn: &mut PgConnection) -> Result<i64> {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND backend_type = 'client backend'";
    until("the sessions are gone", || Ok(sql::<BigInt>(others).get_result::<i64>(conn)? == 0))?;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    Ok(sql::<BigInt>(deadlocks).get_result(conn)?)
}
