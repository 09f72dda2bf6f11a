//! Everything that one command starts or writes outside of the target folder, and that must be gone when it ends.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::interrupt::Interrupt;
use crate::process::{Ending, Group, last_lines};
use crate::watchdog::Watchdog;

/// Owns the scratch folder and knows every process group that runs.
///
/// Three things end what was started: `Drop` of each [`Group`] (also on error and panic), the signals that
/// [`Interrupt`] notes, and, should xtask itself be killed, the [`Watchdog`].
#[derive(Debug)]
pub(crate) struct Supervisor {
    interrupt: Interrupt,
    // Dropped in this order: the folder is removed while the watchdog still stands by.
    scratch: TempDir,
    watchdog: RefCell<Watchdog>,
}

impl Supervisor {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::with_scratch_in(scratch_parent(std::env::temp_dir()))
    }

    /// As `new`, but with the scratch folder in memory where that is possible: what a disk does from moment to moment would
    /// hide what is measured.
    pub(crate) fn in_memory() -> anyhow::Result<Self> {
        Self::with_scratch_in(memory().unwrap_or_else(|| scratch_parent(std::env::temp_dir())))
    }

    fn with_scratch_in(parent: PathBuf) -> anyhow::Result<Self> {
        let interrupt = Interrupt::listen().context("cannot listen for signals")?;
        let scratch = tempfile::Builder::new()
            .prefix("diesel_lockset-")
            .tempdir_in(parent)
            .context("cannot make a scratch folder")?;
        let watchdog = Watchdog::start(scratch.path()).context("cannot start the watchdog")?;
        Ok(Self { interrupt, scratch, watchdog: RefCell::new(watchdog) })
    }

    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Returns the folder that is removed at the end.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts a child in its own process group, without standard input: a group in the background may not read
    /// from the terminal.
    pub(crate) fn spawn(&self, command: &mut Command, ending: Ending) -> anyhow::Result<Group<'_>> {
        self.interrupt.check()?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
        Ok(Group::new(child, ending, &self.interrupt, &self.watchdog))
    }

    /// Runs a program whose output matters only if it fails.
    pub(crate) fn run_quietly(&self, command: &mut Command, ending: Ending) -> anyhow::Result<()> {
        let output = tempfile::tempfile().context("cannot make a scratch file")?;
        let copies = || Ok::<(File, File), std::io::Error>((output.try_clone()?, output.try_clone()?));
        let (stdout, stderr) = copies().context("cannot duplicate a file handle")?;
        let status = self.spawn(command.stdout(stdout).stderr(stderr), ending)?.wait()?;
        if status.success() {
            return Ok(());
        }
        let mut output = output;
        std::io::Seek::rewind(&mut output).context("cannot read a scratch file")?;
        bail!("{} failed ({status}):\n{}", command.get_program().to_string_lossy(), last_lines(output))
    }
}

/// The file system in memory that Linux has, if there is room for a server that is measured.
fn memory() -> Option<PathBuf> {
    const ROOM: u64 = 2 << 30;
    let folder = Path::new("/dev/shm");
    let stat = rustix::fs::statvfs(folder).ok()?;
    (stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM).then(|| folder.to_owned())
}

/// Returns where the scratch folder goes: the usual place for temporary files.
///
/// Root's servers run as another user, who must be able to get there; a TMPDIR inside of root's home is not for them.
fn scratch_parent(usual: PathBuf) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    // The watchdog works in another folder.
    let usual = std::path::absolute(&usual).unwrap_or(usual);
    let open_to_all = |folder: &Path| folder.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    if geteuid().is_root() && !usual.ancestors().all(open_to_all) { PathBuf::from("/tmp") } else { usual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::AT_ONCE;
    use rustix::process::{Signal, test_kill_process_group};
    use std::time::Duration;

    const SOON: Ending = &[(Signal::TERM, Duration::from_millis(100)), (Signal::KILL, Duration::from_secs(10))];

    #[test]
    fn nothing_outlives_the_supervisor() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let scratch = supervisor.scratch().to_owned();
        // A grandchild that does not care about polite signals.
        let script = "trap '' TERM; sleep 60 & echo >ready; wait";
        let mut command = Command::new("sh");
        let group = supervisor.spawn(command.args(["-c", script]).current_dir(&scratch), SOON)?;
        let id = group.id();
        while !scratch.join("ready").exists() {
            std::thread::yield_now();
        }
        assert!(test_kill_process_group(id).is_ok());

        drop(group);
        assert!(test_kill_process_group(id).is_err(), "the group is gone");
        drop(supervisor);
        assert!(!scratch.exists(), "the scratch folder is gone");
        Ok(())
    }

    #[test]
    fn a_failure_shows_what_the_program_said() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut command = Command::new("sh");
        let outcome = supervisor.run_quietly(command.args(["-c", "echo oh no >&2; exit 3"]), AT_ONCE);
        let text = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("exit status: 3") && text.ends_with("oh no"), "{text}");
        Ok(())
    }
}
