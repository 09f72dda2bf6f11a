//! Counts the instructions of one call.

use std::{env, fs, path::Path, process::Command};

use crate::{shared::Result, time::Times};

/// The counts of one server.
pub(crate) struct Counted {
    /// Its name and version.
    pub(crate) server: String,
    pub(crate) lines: Vec<Line>,
}

/// The instructions per call of one case, and its times.
pub(crate) struct Line {
    pub(crate) case: &'static str,
    pub(crate) by_hand: u64,
    pub(crate) ours: u64,
    pub(crate) times: Times,
}

impl Line {
    pub(crate) fn ratio(&self) -> f64 {
        self.ours as f64 / self.by_hand as f64
    }
}

/// Returns the instructions per call: the difference between `times` and twice as many calls, each in a process of its own. So neither the
/// start of the process, nor the connection, nor the first call counts.
pub(crate) fn per_call(server: &str, case: usize, side: &str, times: u64, url: &str, profiles: &Path) -> Result<u64> {
    let total = |times: u64| -> Result<u64> {
        let file = profiles.join(format!("{server}-{case}-{side}-{times}.callgrind"));
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(env::current_exe()?)
            .args(["--call", server, &case.to_string(), side, &times.to_string(), url])
            .output()
            .map_err(|error| format!("valgrind: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let text = fs::read_to_string(&file)?;
        let total =
            text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind has counted nothing")?;
        Ok(total.trim().parse()?)
    };
    Ok((total(2 * times)? - total(times)?) / times)
}
