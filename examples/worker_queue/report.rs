//! What came of a run, by the tables that it leaves and by what was heard of the workers: as a table with a verdict, and as a
//! line of JSON.

use std::{collections::BTreeMap, fmt};

use diesel::{
    dsl::{count, count_star},
    prelude::*,
};

use crate::{
    queue::{done, jobs},
    shared::{Conn, Result},
    tally::Tally,
};

#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) variant: &'static str,
    /// Jobs that can be done, and jobs that cannot.
    pub(crate) jobs: i64,
    pub(crate) poison: i64,
    /// How often a job was done, and how many jobs were.
    pub(crate) done: i64,
    pub(crate) distinct: i64,
    /// By their status.
    pub(crate) marked_done: i64,
    pub(crate) dead: i64,
    pub(crate) left: i64,
    /// Tries that failed and were to be made again.
    pub(crate) again: usize,
    /// Tries that were not written down, because the lease had run out and the job was another's.
    pub(crate) lost: usize,
    pub(crate) kills: usize,
    /// Jobs that a worker had in hand when it was killed, and another one did.
    pub(crate) taken_over: usize,
    /// How many jobs were done in each seat; a killed worker's successor has its seat.
    pub(crate) per_worker: Vec<i64>,
    pub(crate) seconds: f64,
}

impl Run {
    /// Reads the tables when all workers are gone.
    pub(crate) fn measure(
        variant: &'static str,
        (jobs, poison): (u32, u32),
        workers: usize,
        tally: &Tally,
        conn: &mut Conn,
    ) -> Result<Self> {
        let by_status: BTreeMap<String, i64> =
            jobs::table.group_by(jobs::status).select((jobs::status, count_star())).load(conn)?.into_iter().collect();
        let of = |status: &str| by_status.get(status).copied().unwrap_or(0);

        let mut per_worker = vec![0; workers];
        let by_name: Vec<(String, i64)> =
            done::table.group_by(done::worker).select((done::worker, count_star())).load(conn)?;
        for (name, count) in by_name {
            let seat: usize = name.split('.').next().unwrap_or_default().parse()?;
            *per_worker.get_mut(seat.wrapping_sub(1)).ok_or("nobody has that seat")? += count;
        }

        let mut taken_over = 0;
        for (name, job) in &tally.in_hand {
            let by_others = done::table.filter(done::job_id.eq(job).and(done::worker.ne(name)));
            taken_over += usize::from(diesel::select(diesel::dsl::exists(by_others)).get_result::<bool>(conn)?);
        }
        Ok(Run {
            variant,
            jobs: jobs.into(),
            poison: poison.into(),
            done: done::table.count().get_result(conn)?,
            distinct: done::table.select(count(done::job_id).aggregate_distinct()).get_result(conn)?,
            marked_done: of("done"),
            dead: of("dead"),
            left: of("ready"),
            again: tally.again,
            lost: tally.lost,
            kills: tally.kills,
            taken_over,
            per_worker,
            seconds: tally.time.as_secs_f64(),
        })
    }

    /// What holds at any time: nothing was done twice, and each job is done and marked so, dead, or left to do.
    pub(crate) fn is_sound(&self) -> bool {
        self.done == self.distinct
            && self.marked_done == self.distinct
            && self.distinct + self.dead + self.left == self.jobs + self.poison
    }

    /// What holds at the end: every job that can be done was done exactly once, and what cannot be done is dead.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_sound() && self.distinct == self.jobs && self.dead == self.poison && self.left == 0
    }

    fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.done as f64 / self.seconds } else { 0.0 }
    }

    fn json(&self) -> String {
        let Run { jobs, done, distinct, dead, left, again, lost, kills, taken_over, per_worker, seconds, .. } = self;
        format!(
            r#"{{"variant":"{}","jobs":{jobs},"done":{done},"distinct":{distinct},"dead":{dead},"left":{left},"failed_tries":{again},"lost_leases":{lost},"kills":{kills},"taken_over":{taken_over},"per_worker":{per_worker:?},"seconds":{seconds:.3},"per_second":{:.1}}}"#,
            self.variant,
            self.per_second(),
        )
    }
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) runs: Vec<Run>,
}

impl Report {
    pub(crate) fn is_complete(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(Run::is_complete)
    }

    pub(crate) fn json(&self) -> String {
        let runs: Vec<_> = self.runs.iter().map(Run::json).collect();
        format!(r#"{{"complete":{},"runs":[{}]}}"#, self.is_complete(), runs.join(","))
    }

    fn verdict(&self) -> String {
        let Some(fault) = self.runs.iter().find(|run| !run.is_complete()) else {
            let (runs, jobs) = (self.runs.len(), self.runs.iter().map(|run| run.distinct).sum::<i64>());
            let taken_over: usize = self.runs.iter().map(|run| run.taken_over).sum();
            return format!("{runs} runs, {jobs} jobs, each done exactly once; {taken_over} of them after a crash.");
        };
        let Run { jobs, poison, done, distinct, marked_done, dead, left, .. } = fault;
        if fault.is_sound() && *left > 0 {
            return format!("STOPPED EARLY: {distinct} jobs are done, each exactly once, and {left} are left.");
        }
        format!(
            "FAILED: of {jobs} jobs {distinct} were done, and {marked_done} say so; {} times one was done again; {left} are \
             left; {dead} are dead, and {poison} should be.",
            done - distinct
        )
    }
}

const HEADINGS: [&str; 9] =
    ["jobs done", "distinct", "dead", "retries", "lost leases", "kills", "taken over", "seconds", "jobs/s"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, first: &str, cells: [String; 9], last: &str| {
            write!(f, "{first:<14}")?;
            cells.iter().try_for_each(|cell| write!(f, "  {cell:>11}"))?;
            writeln!(f, "  {last}")
        };
        row(f, "variant", HEADINGS.map(str::to_owned), "jobs done per worker")?;
        for run in &self.runs {
            let counts = [run.dead, run.again as i64, run.lost as i64, run.kills as i64, run.taken_over as i64];
            let [dead, again, lost, kills, taken_over] = counts.map(|count| count.to_string());
            let (seconds, per_second) = (format!("{:.2}", run.seconds), format!("{:.0}", run.per_second()));
            let (done, distinct) = (run.done.to_string(), run.distinct.to_string());
            let cells = [done, distinct, dead, again, lost, kills, taken_over, seconds, per_second];
            let per_worker: Vec<_> = run.per_worker.iter().map(i64::to_string).collect();
            row(f, run.variant, cells, &per_worker.join(" "))?;
        }
        write!(f, "\n{}", self.verdict())
    }
}
