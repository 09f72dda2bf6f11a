//! Keeps the cores awake.

use std::{
    process::{Child, Command, Stdio},
    thread,
};

use crate::shared::Result;

/// As long as it lives, each core has something to do that gives way to everything else.
///
/// With few workers a core goes to sleep between a question and its answer, and waking it can take a virtual machine longer
/// than a statement takes: one worker on two such cores picked 1,000 to 1,500 jobs a second without this, 2,300 to 4,700 with.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// Where there is no `chrt`, which only Linux has, the cores sleep as they like.
    pub(crate) fn keep() -> Result<Self> {
        // It ends by itself when the bench was killed.
        let spin = || {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while kill -0 $PPID; do :; done"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let cores = thread::available_parallelism()?.get();
        Ok(Awake((0..cores).map_while(|_| spin().ok()).collect()))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
