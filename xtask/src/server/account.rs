//! The user that the servers run as: PostgreSQL and MariaDB refuse to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::process::geteuid;

/// Who may run the servers for root, in this order: the packages' own users, and one that exists everywhere. All of them
/// run as the same user, who owns the scratch folder.
const CANDIDATES: [&str; 3] = ["postgres", "mysql", "nobody"];

/// Ourselves, or the user that root steps down to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Account {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl Account {
    pub(crate) fn for_servers() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        for name in CANDIDATES {
            if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
                return Ok(Self::Other { uid, gid });
            }
        }
        bail!("database servers do not run as root, and none of the users {} exists", CANDIDATES.join(", "))
    }

    /// Gives the file or folder to the server's user.
    pub(crate) fn own(self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => {
                chown(path, Some(uid), Some(gid)).with_context(|| format!("cannot give {} away", path.display()))
            }
        }
    }

    /// Returns a command that runs as the server's user, in a folder that this user can read.
    ///
    /// The standard library itself steps down, supplementary groups included, so neither `setpriv` nor `runuser` nor
    /// `su` is needed; the latter two would also put a process between us and the server, who would get our signals.
    pub(crate) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        // Any locale that surely exists: the server's own is set by arguments.
        command.current_dir(folder).env("LC_ALL", "C").env_remove("PGDATA");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }
}

fn id(which: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([which, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
