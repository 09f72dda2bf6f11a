//! Databases to work on: servers that were given, or throw-away ones. One folder per kind of server.

mod account;
pub(crate) mod mariadb;
pub(crate) mod postgres;
mod running;
mod servers;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::cli::ServerOptions;
use crate::console::say;
use crate::install::{self, Need, Tools};
use crate::process::{AT_ONCE, exit_code};
use crate::supervisor::Supervisor;
use crate::workspace;
use mariadb::Mariadb;
use postgres::{Postgres, Purpose};
use servers::Servers;

/// The servers that a command wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    postgres: &'static [Purpose],
    mariadb: &'static [mariadb::Purpose],
}

impl Wanted {
    /// All that the tests work on.
    pub(crate) const SUITE: Self = Self { postgres: &Purpose::SUITE, mariadb: &mariadb::Purpose::SUITE };

    pub(crate) const DEMO: Self = Self { postgres: &[Purpose::Demo], mariadb: &[] };

    pub(crate) const DEMO_ON_MYSQL: Self = Self { postgres: &[], mariadb: &[mariadb::Purpose::Demo] };

    /// One of each kind, whose disk does not matter.
    pub(crate) const BOTH: Self = Self { postgres: &[Purpose::Tests], mariadb: &[mariadb::Purpose::Tests] };
}

/// Database servers that are up, and the tools to build and run programs against them.
#[derive(Debug)]
pub(crate) struct Databases<'s> {
    /// Variables and URLs.
    given: Vec<(&'static str, String)>,
    postgres: Servers<'s, Postgres>,
    mariadb: Servers<'s, Mariadb>,
    tools: Tools,
}

impl<'s> Databases<'s> {
    /// Gets what is missing, and starts a server for each purpose that none was given for.
    pub(crate) fn open(
        supervisor: &'s Supervisor,
        options: &ServerOptions,
        needs: &[Need],
        wanted: &Wanted,
    ) -> anyhow::Result<Self> {
        let Shares { given, postgres, mariadb } = sort_out(wanted, options, |variable| std::env::var(variable).ok());
        for (variable, _) in &given {
            say(format_args!("{variable} is given: starting no server for it"));
        }
        let mut needs = needs.to_vec();
        needs.extend((!postgres.is_empty()).then_some(Need::Postgres));
        needs.extend((!mariadb.is_empty()).then_some(Need::Mariadb));
        let tools = install::ensure(supervisor, options, &needs)?;
        let postgres = postgres::start(supervisor, &tools.postgres, &postgres)?;
        let mariadb = mariadb::start(supervisor, &tools.mariadb, &mariadb)?;
        Ok(Self { given, postgres, mariadb, tools })
    }

    /// Runs a cargo command on the databases, and returns how it ended; keeps the servers' logs if it failed.
    pub(crate) fn run(mut self, supervisor: &Supervisor, mut command: Command) -> anyhow::Result<ExitCode> {
        self.equip(&mut command);
        let status = supervisor.spawn(&mut command, AT_ONCE)?.wait_and(|| self.revive())?;
        if !status.success() {
            self.keep_logs();
        }
        Ok(exit_code(status))
    }

    /// Sets what a cargo command needs to link libpq and to find the servers, pgbench and pgbouncer.
    pub(crate) fn equip(&self, command: &mut Command) {
        command.envs(self.given.iter().map(|(variable, url)| (variable, url))).envs(self.postgres.variables());
        command.envs(self.mariadb.variables());
        command.envs(install::libpq::link_variable(&self.tools.postgres));
        if let Some(pgbench) = self.tools.postgres.pgbench() {
            command.env("PGBENCH", pgbench);
        }
        if let Some(pgbouncer) = install::pgbouncer::find() {
            command.env(install::pgbouncer::VARIABLE, pgbouncer);
        }
    }

    /// Returns what to call the server of a variable: like the variable if it was given by that or by an option.
    pub(crate) fn name(&self, variable: &str) -> String {
        let is_given = self.given.iter().any(|(given, _)| *given == variable);
        let started = if variable == mariadb::Purpose::Tests.variable() { "MariaDB" } else { "PostgreSQL" };
        if is_given { variable.to_owned() } else { format!("started-{started}") }
    }

    /// Starts again what a test has crashed. To be called again and again while the servers are in use.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        self.postgres.revive()?;
        self.mariadb.revive()
    }

    /// Copies the logs of the throw-away servers to where they survive, for whoever looks into a failure.
    pub(crate) fn keep_logs(&self) {
        let kept = self.postgres.keep_logs().and_then(|mut kept| {
            kept.extend(self.mariadb.keep_logs()?);
            Ok(kept)
        });
        match kept {
            Ok(kept) => {
                kept.iter().for_each(|log| say(format_args!("a server's log was kept: {}", log.display())));
            }
            Err(error) => say(format_args!("the logs of the servers could not be kept: {error}")),
        }
    }
}

/// Which of the wanted servers are there, and which are left to be started.
#[derive(Debug, PartialEq)]
struct Shares {
    /// Variables and URLs.
    given: Vec<(&'static str, String)>,
    postgres: Vec<Purpose>,
    mariadb: Vec<mariadb::Purpose>,
}

/// Finds the servers that are given, by their variables; an empty URL counts for nothing. The options take the place of
/// `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`.
fn sort_out(wanted: &Wanted, options: &ServerOptions, variable: impl Fn(&str) -> Option<String>) -> Shares {
    let mut shares = Shares { given: Vec::new(), postgres: Vec::new(), mariadb: Vec::new() };
    let given = |name, option: Option<String>| {
        let url = option.or_else(|| variable(name)).filter(|url| !url.trim().is_empty());
        url.map(|url| (name, url))
    };
    for purpose in wanted.postgres {
        let option = options.postgres.pg_url.clone().filter(|_| purpose.variable() == Purpose::Tests.variable());
        match given(purpose.variable(), option) {
            Some(server) => shares.given.push(server),
            None => shares.postgres.push(*purpose),
        }
    }
    for purpose in wanted.mariadb {
        let main = mariadb::Purpose::Tests.variable();
        let option = options.mariadb.mysql_url.clone().filter(|_| purpose.variable() == main);
        match given(purpose.variable(), option) {
            Some(server) => shares.given.push(server),
            None => shares.mariadb.push(*purpose),
        }
    }
    shares
}

/// Copies a log to where it survives, and returns its new place.
fn keep_log(log: &Path) -> std::io::Result<PathBuf> {
    let folder = workspace::keep_folder();
    std::fs::create_dir_all(&folder)?;
    let kept = folder.join(log.file_name().unwrap_or_default());
    std::fs::copy(log, &kept)?;
    Ok(kept)
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = Purpose::Tests.variable();
    const CRASH: &str = Purpose::Crash.variable();
    const MYSQL: &str = mariadb::Purpose::Tests.variable();
    const STARTED: [mariadb::Purpose; 3] = mariadb::Purpose::SUITE;

    fn shares(wanted: Wanted, options: ServerOptions, variables: &[(&str, &str)]) -> Shares {
        let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, url)| (*url).to_owned());
        sort_out(&wanted, &options, value)
    }

    fn given(name: &'static str, url: &str) -> Vec<(&'static str, String)> {
        vec![(name, url.to_owned())]
    }

    #[test]
    fn the_option_wins_over_the_variable() {
        let mut options = ServerOptions::default();
        options.postgres.pg_url = Some("postgres://option".to_owned());
        let found = shares(Wanted::SUITE, options, &[(MAIN, "postgres://variable")]);
        assert_eq!(found.given, given(MAIN, "postgres://option"));
        assert_eq!(found.postgres, Purpose::SUITE[1..]);

        let none = ServerOptions::default;
        let found = shares(Wanted::SUITE, none(), &[(MAIN, "postgres://variable")]);
        assert_eq!(found.given, given(MAIN, "postgres://variable"));
        let found = shares(Wanted::SUITE, none(), &[(MAIN, " "), (MYSQL, "")]);
        assert_eq!(found, Shares { given: vec![], postgres: Purpose::SUITE.to_vec(), mariadb: STARTED.to_vec() });
    }

    #[test]
    fn each_variable_stands_for_its_own_server() {
        let found = shares(Wanted::SUITE, ServerOptions::default(), &[(CRASH, "postgres://crash")]);
        assert_eq!(found.given, given(CRASH, "postgres://crash"));
        assert_eq!(
            (found.postgres, found.mariadb),
            (vec![Purpose::Tests, Purpose::German, Purpose::Japanese, Purpose::Standby], STARTED.to_vec())
        );
    }

    #[test]
    fn mariadb_is_given_by_its_option_or_its_variable_and_each_demo_has_one_server() {
        let mut options = ServerOptions::default();
        let variables = [(MYSQL, "mysql://variable")];
        let found = shares(Wanted::SUITE, options.clone(), &variables);
        assert_eq!((found.given, found.mariadb), (given(MYSQL, "mysql://variable"), STARTED[1..].to_vec()));
        options.mariadb.mysql_url = Some("mysql://option".to_owned());
        assert_eq!(shares(Wanted::SUITE, options.clone(), &variables).given, given(MYSQL, "mysql://option"));
        let found = shares(Wanted::DEMO, options.clone(), &variables);
        assert_eq!(found, Shares { given: vec![], postgres: vec![Purpose::Demo], mariadb: vec![] });
        let found = shares(Wanted::DEMO_ON_MYSQL, options, &[(MAIN, "postgres://variable")]);
        assert_eq!(found, Shares { given: given(MYSQL, "mysql://option"), postgres: vec![], mariadb: vec![] });
        let found = shares(Wanted::DEMO_ON_MYSQL, ServerOptions::default(), &[]);
        assert_eq!(found.mariadb, [mariadb::Purpose::Demo]);
    }
}
