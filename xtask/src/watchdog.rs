//! The last resort: a tiny shell that ends the servers when xtask was killed and could not do it itself.
//!
//! It sleeps reading a pipe whose other end only xtask holds. The kernel closes that end however xtask dies, so
//! neither polling nor a process id to watch is needed. (Linux's "parent death signal" would do the same for direct children, but needs
//! unsafe code and does not exist on macOS.)

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::Pid;

/// The shell, and the list of process groups last told to it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
    groups: Vec<Pid>,
}

impl Watchdog {
    /// Starts to watch over a folder, which is removed when xtask dies.
    pub(crate) fn start(scratch: &Path) -> std::io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("watchdog.sh"), "watchdog"])
            .arg(scratch)
            // A group of its own, so that Ctrl-C does not reach it, and no output, so that it keeps no pipe open.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe, groups: Vec::new() })
    }

    pub(crate) fn watch(&mut self, group: Pid) {
        self.groups.push(group);
        self.tell();
    }

    pub(crate) fn forget(&mut self, group: Pid) {
        self.groups.retain(|other| *other != group);
        self.tell();
    }

    fn tell(&mut self) {
        let list: Vec<String> = self.groups.iter().map(|group| group.as_raw_pid().to_string()).collect();
        if let Some(pipe) = &mut self.pipe {
            // If the shell is gone there is nobody to tell; the normal ways of stopping are not affected.
            let _ = writeln!(pipe, "{}", list.join(" "));
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait();
    }
}
