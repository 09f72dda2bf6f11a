//! pgbench with a script: statements by hand, prepared, in many sessions.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::shared::Result;

/// Runs the script so many times in each session and returns how often it ran per second, without the time that it takes to connect.
///
/// The program is the one that `PGBENCH` names, or the one in the path.
pub(crate) fn run(script: &str, variables: &[&str], sessions: u32, rounds: u32, url: &str) -> Result<f64> {
    let named = env::var_os("PGBENCH").filter(|program| !program.is_empty());
    let program = named.map_or_else(|| PathBuf::from("pgbench"), PathBuf::from);
    let script = Script::write(script)?;
    let output = Command::new(&program)
        .args(["--no-vacuum", "--protocol=prepared"])
        .args(variables.iter().map(|variable| format!("--define={variable}")))
        .arg(format!("--client={sessions}"))
        // A thread for each session, as in the programs beside it: a thread that serves several sends their commits together, and the
        // server writes them to the disk together.
        .arg(format!("--jobs={sessions}"))
        .arg(format!("--transactions={rounds}"))
        .arg("--file")
        .arg(&script.0)
        .arg(url)
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

/// The rate that pgbench prints.
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
