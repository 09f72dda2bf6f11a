//! Servers of one kind that run side by side, each on data of its own.

use std::path::{Path, PathBuf};

use super::account::Account;
use super::keep_log;
use super::running::{Kind, Server};
use crate::console::say;
use crate::process::AT_ONCE;
use crate::supervisor::Supervisor;

/// Stopped on drop.
#[derive(Debug)]
pub(crate) struct Servers<'s, K: Kind> {
    servers: Vec<Server<'s, K>>,
}

impl<'s, K: Kind> Servers<'s, K> {
    pub(super) const NONE: Self = Self { servers: Vec::new() };

    /// Starts all of them at the same time, and returns when they are ready.
    pub(super) fn start(supervisor: &'s Supervisor, kinds: impl IntoIterator<Item = K>) -> anyhow::Result<Self> {
        let mut all = Self::NONE;
        for kind in kinds {
            all.servers.push(Server::launch(supervisor, kind)?);
        }
        all.servers.iter_mut().try_for_each(Server::wait_until_ready)?;
        Ok(all)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &K> {
        self.servers.iter().map(|server| &server.kind)
    }

    /// Returns the URL of each server's maintenance database, with its superuser, and the variable to put it into.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.servers.iter().map(|server| (server.kind.variable(), server.url()))
    }

    /// Starts again what a test has crashed. To be called again and again while the servers are in use.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(Server::revive)
    }

    /// Fails if a server has ended by itself, and will not be revived.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(Server::check)
    }

    /// Copies the logs to where they survive, and returns their new places.
    pub(crate) fn keep_logs(&self) -> std::io::Result<Vec<PathBuf>> {
        self.kinds().map(|kind| keep_log(kind.log())).collect()
    }
}

impl<K: Kind> Drop for Servers<'_, K> {
    fn drop(&mut self) {
        self.servers.iter().for_each(Server::begin_to_end);
        if !self.servers.is_empty() {
            self.servers.clear();
            say(format_args!("{} is stopped", K::NAME));
        }
    }
}

/// Fills the data folders of several servers: the first by `init`, the others with copies of it, which takes a fraction of the
/// time, even of several that are filled side by side.
pub(super) fn fill(
    supervisor: &Supervisor,
    account: Account,
    folders: &[PathBuf],
    init: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some((first, others)) = folders.split_first() else { return Ok(()) };
    init(first)?;
    for other in others {
        // By a program, because only the server's user can make files that belong to it.
        let mut command = account.command(Path::new("cp"), supervisor.scratch());
        supervisor.run_quietly(command.arg("-R").args([first, other]), AT_ONCE)?;
    }
    Ok(())
}
