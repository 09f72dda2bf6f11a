//! Throw-away PostgreSQL servers on loopback: made, started, waited for, stopped.

mod cluster;
mod server;
mod settings;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{account::Account, keep_log};
use crate::console::{Step, say};
use crate::supervisor::Supervisor;
use server::Server;
pub(crate) use settings::Purpose;
pub(crate) use tools::Tools;

/// Servers that run side by side, each on data of its own; stopped on drop.
#[derive(Debug, Default)]
pub(crate) struct Servers<'s> {
    servers: Vec<Server<'s>>,
}

impl<'s> Servers<'s> {
    /// Starts one server per purpose, all at the same time.
    pub(crate) fn start(supervisor: &'s Supervisor, tools: &Tools, purposes: &[Purpose]) -> anyhow::Result<Self> {
        let program = tools.server_program("postgres")?;
        let what = match purposes {
            [_] => version(&program),
            _ => format!("{}, {} servers", version(&program), purposes.len()),
        };
        let step = Step::begin(format_args!("starting {what}"));
        let account = Account::for_servers()?;
        account.own(supervisor.scratch())?;

        let folders = cluster::make(supervisor, account, &tools.server_program("initdb")?, purposes)?;
        let mut all = Self::default();
        for (purpose, data) in purposes.iter().zip(folders) {
            all.servers.push(Server::launch(supervisor, account, program.clone(), *purpose, data)?);
        }
        all.servers.iter_mut().try_for_each(Server::wait_until_ready)?;
        step.done(format_args!("{what}: ready on 127.0.0.1"));
        if all.servers.iter().any(Server::lacks_its_language) {
            say("the message catalogues of PostgreSQL are missing (images of containers often leave them out): \
                 the tests on servers that speak other languages will fail");
        }
        Ok(all)
    }

    /// Returns the URL of each server's maintenance database, with its superuser, and the variable to put it into.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.servers.iter().map(|server| (server.purpose().variable(), server.url()))
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
        self.servers.iter().map(|server| keep_log(server.log())).collect()
    }
}

impl Drop for Servers<'_> {
    fn drop(&mut self) {
        self.servers.iter().for_each(Server::begin_to_end);
        if !self.servers.is_empty() {
            self.servers.clear();
            say("PostgreSQL is stopped");
        }
    }
}

/// Returns "PostgreSQL 15.14" from the program's own words: `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(postgres: &Path) -> String {
    let output = Command::new(postgres).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(2).map_or_else(|| "PostgreSQL".to_owned(), |number| format!("PostgreSQL {number}"))
}
