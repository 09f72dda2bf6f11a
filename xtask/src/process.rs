//! A child in a process group of its own, which ends, with all its descendants, when its owner lets go.
//!
//! The own group is what makes every way of stopping the same: Ctrl-C (which the terminal sends to *our* group) and
//! a SIGTERM sent to xtask alone both reach the child because we pass them on, and what a killed cargo leaves behind
//! (test programs, pgbench) can still be addressed. Signalling our own group instead would hit the script that
//! called us.

use std::cell::RefCell;
use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::console::say;
use crate::interrupt::Interrupt;
use crate::watchdog::Watchdog;

/// How a group is made to end: these signals one after the other, each with the time given to it.
pub(crate) type Ending = &'static [(Signal, Duration)];

/// For programs that may be cut short.
pub(crate) const AT_ONCE: Ending = &[(Signal::TERM, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(2))];

/// For programs that must be allowed to finish: a package manager killed half-way leaves a broken system.
pub(crate) const IN_ITS_OWN_TIME: Ending = &[];

const POLL: Duration = Duration::from_millis(20);

/// A running child and its process group.
#[derive(Debug)]
pub(crate) struct Group<'s> {
    child: Child,
    id: Pid,
    ending: Ending,
    interrupt: &'s Interrupt,
    watchdog: &'s RefCell<Watchdog>,
}

impl<'s> Group<'s> {
    /// Takes charge of a child that leads a process group. The supervisor calls this, by its `spawn`.
    pub(crate) fn new(child: Child, ending: Ending, interrupt: &'s Interrupt, watchdog: &'s RefCell<Watchdog>) -> Self {
        let id = Pid::from_child(&child);
        watchdog.borrow_mut().watch(id);
        Self { child, id, ending, interrupt, watchdog }
    }

    /// Waits for the child, and passes on the signals that come meanwhile.
    ///
    /// # Errors
    ///
    /// `Interrupted` if a signal came, once the whole group is gone.
    pub(crate) fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        self.wait_and(|| Ok(()))
    }

    /// Like [`wait`](Self::wait), and does something else again and again meanwhile, until the child has to end.
    pub(crate) fn wait_and(&mut self, mut meanwhile: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<ExitStatus> {
        let mut deadline = None;
        loop {
            if let Some(status) = self.try_wait()? {
                self.end();
                self.interrupt.check()?;
                return Ok(status);
            }
            match self.interrupt.poll() {
                // Told twice: no more patience.
                Some(_) if deadline.is_some() => self.end(),
                Some(signal) => {
                    self.signal(signal);
                    if self.ending.is_empty() {
                        say("waiting for the running step to finish: cut short it would leave a broken system");
                    }
                    deadline = self.ending.first().map(|(_, patience)| Instant::now() + *patience);
                }
                None if deadline.is_some_and(|deadline| deadline < Instant::now()) => self.end(),
                None => {
                    if deadline.is_none() {
                        meanwhile()?;
                    }
                    std::thread::sleep(POLL);
                }
            }
        }
    }

    /// Returns how the child ended, or `None` while it runs.
    pub(crate) fn try_wait(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for a child process")
    }

    /// Sends the first of the signals that end the group, and does not wait.
    pub(crate) fn begin_to_end(&self) {
        if let Some((signal, _)) = self.ending.first() {
            self.signal(*signal);
        }
    }

    /// Ends the group; does nothing when it is gone already.
    pub(crate) fn end(&mut self) {
        for (signal, patience) in self.ending {
            let deadline = Instant::now() + *patience;
            if self.is_gone() {
                break;
            }
            self.signal(*signal);
            while !self.is_gone() && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
        }
    }

    pub(crate) fn id(&self) -> Pid {
        self.id
    }

    fn signal(&self, signal: Signal) {
        // Fails if the group is gone, or belongs to root (sudo): in neither case is there more to do than wait.
        let _ = kill_process_group(self.id, signal);
    }

    fn is_gone(&mut self) -> bool {
        // The child must be reaped first: until then its group counts as there.
        !matches!(self.child.try_wait(), Ok(None)) && test_kill_process_group(self.id) == Err(Errno::SRCH)
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.end();
        self.watchdog.borrow_mut().forget(self.id);
    }
}

/// Returns the exit code of a child, or 128 + its signal, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> std::process::ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Returns the last lines of a program's output, for the message that says that it failed.
pub(crate) fn last_lines(mut output: impl io::Read) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = output.read_to_end(&mut bytes) {
        return format!("(its output cannot be read: {error})");
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_keeps_the_end() {
        let text: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let kept = last_lines(text.as_bytes());
        assert!(kept.starts_with("9\n") && kept.ends_with("\n20"), "{kept}");
        assert_eq!(last_lines(&b""[..]), "");
    }
}
