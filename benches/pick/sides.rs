//! Many workers at once, each with so many rounds to do, and how fast they were.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use diesel_lockset::LockError;

use crate::{
    backlog::TAKEN,
    shared::{Database, Result},
    work::{Operation, Side},
};

/// What is done: so many rounds by each worker, with so many jobs in each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) operation: Operation,
    pub(crate) per_call: u32,
    pub(crate) workers: u32,
    pub(crate) rounds: u32,
}

impl Task {
    /// Runs the task and returns the rounds per second of all workers together.
    pub(crate) fn run(&self, side: Side, database: &Database, stop: &AtomicBool) -> Result<f64> {
        match side {
            Side::Ours => self.ours(database, None, stop),
            Side::Bare | Side::Short => self.pgbench(side, database),
        }
    }

    /// As `run` on our side, but for a time instead of a number of rounds.
    pub(crate) fn try_out(&self, database: &Database, time: Duration, stop: &AtomicBool) -> Result<f64> {
        self.ours(database, Some(time), stop)
    }

    fn ours(&self, database: &Database, time: Option<Duration>, stop: &AtomicBool) -> Result<f64> {
        let Task { operation, per_call, workers, rounds } = *self;
        let spans = database.at_once(workers as usize, |_, conn| {
            let (begin, mut done) = (Instant::now(), 0_u32);
            while time.map_or(done < rounds, |time| begin.elapsed() < time) && !stop.load(SeqCst) {
                let taken = operation.run(per_call, conn)?;
                if taken < per_call as usize {
                    break; // too few jobs: how many were taken is checked afterwards
                }
                done += 1;
            }
            Ok::<_, LockError>((begin, Instant::now(), done))
        })?;
        let begin = spans.iter().map(|(begin, ..)| *begin).min().ok_or("no worker")?;
        let end = spans.iter().map(|(_, end, _)| *end).max().ok_or("no worker")?;
        let done: u32 = spans.iter().map(|(.., done)| done).sum();
        Ok(f64::from(done) / (end - begin).as_secs_f64())
    }

    /// Runs pgbench: the program that `PGBENCH` names, or the one in the path.
    fn pgbench(&self, side: Side, database: &Database) -> Result<f64> {
        let named = env::var_os("PGBENCH").filter(|program| !program.is_empty());
        let program = named.map_or_else(|| PathBuf::from("pgbench"), PathBuf::from);
        let script = Script::write(&self.operation.script(self.per_call, side))?;
        let output = Command::new(&program)
            .args(["--no-vacuum", "--protocol=prepared", "--define=new=new"])
            .arg(format!("--define=taken={TAKEN}"))
            .arg(format!("--client={}", self.workers))
            // A thread for each session, as on our side: a thread that serves several sends their commits together, and the
            // server writes them to the disk together.
            .arg(format!("--jobs={}", self.workers))
            .arg(format!("--transactions={}", self.rounds))
            .arg("--file")
            .arg(&script.0)
            .arg(database.url())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run {}: {error}; set PGBENCH to where pgbench is", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed ({}): {}", program.display(), output.status, said.trim_end()).into());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        tps(&said).ok_or_else(|| format!("{} gave no rate: {}", program.display(), said.trim_end()).into())
    }
}

/// The rate that pgbench prints, without the time that it takes to connect.
fn tps(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with("tps = ") && !line.contains("including"))?;
    line.split_whitespace().nth(2)?.parse().ok()
}

/// A script for pgbench, removed when it is done.
struct Script(PathBuf);

impl Script {
    fn write(text: &str) -> Result<Self> {
        let script = Script(env::temp_dir().join(format!("lockset_bench_{:016x}.sql", fastrand::u64(..))));
        fs::write(&script.0, text)?;
        Ok(script)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_pgbench_says_after_a_pick() {
        let said = "latency average = 1.7 ms\ninitial connection time = 5.1 ms\n\
                    tps = 569.401764 (without initial connection time)\n";
        assert_eq!(tps(said), Some(569.401_764));
        assert_eq!(tps("pgbench: error"), None);
    }
}
