//! Databases to work on: servers that were given, or throw-away ones. One file or folder per kind of server
//! (PostgreSQL for now; MariaDB goes beside it as `mariadb.rs`).

pub(crate) mod postgres;

use std::process::Command;

use crate::cli::PostgresOptions;
use crate::console::say;
use crate::install::{self, Need};
use crate::supervisor::Supervisor;
use postgres::{Purpose, Servers, Tools};

/// Database servers that are up, and the tools to build and run programs against them.
#[derive(Debug)]
pub(crate) struct Databases<'s> {
    /// Variables and URLs.
    given: Vec<(&'static str, String)>,
    own: Servers<'s>,
    tools: Tools,
}

impl<'s> Databases<'s> {
    /// Gets what is missing, and starts a server for each purpose that none was given for.
    pub(crate) fn open(
        supervisor: &'s Supervisor,
        options: &PostgresOptions,
        needs: &[Need],
        purposes: &[Purpose],
    ) -> anyhow::Result<Self> {
        let (given, own) = sort_out(purposes, options, |variable| std::env::var(variable).ok());
        for (variable, _) in &given {
            say(format_args!("{variable} is given: starting no server for it"));
        }
        if own.is_empty() {
            let tools = install::ensure(supervisor, options, needs)?;
            return Ok(Self { given, own: Servers::default(), tools });
        }
        let tools = install::ensure(supervisor, options, &[needs, &[Need::Server]].concat())?;
        let own = Servers::start(supervisor, &tools, &own)?;
        Ok(Self { given, own, tools })
    }

    /// Sets what a cargo command needs to link libpq and to find the servers and pgbench.
    pub(crate) fn equip(&self, command: &mut Command) {
        command.envs(self.given.iter().map(|(variable, url)| (variable, url))).envs(self.own.variables());
        command.envs(install::libpq::link_variable(&self.tools));
        if let Some(pgbench) = self.tools.pgbench() {
            command.env("PGBENCH", pgbench);
        }
    }

    /// Starts again what a test has crashed. To be called again and again while the servers are in use.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        self.own.revive()
    }

    /// Copies the logs of the throw-away servers to where they survive, for whoever looks into a failure.
    pub(crate) fn keep_logs(&self) {
        match self.own.keep_logs() {
            Ok(kept) => {
                kept.iter().for_each(|log| say(format_args!("a server's log was kept: {}", log.display())));
            }
            Err(error) => say(format_args!("the logs of the servers could not be kept: {error}")),
        }
    }
}

/// Returns the servers that are given, by their variables, and the purposes that are left; an empty URL counts for
/// nothing. The option takes the place of `PG_DATABASE_URL`.
fn sort_out(
    purposes: &[Purpose],
    options: &PostgresOptions,
    variable: impl Fn(&str) -> Option<String>,
) -> (Vec<(&'static str, String)>, Vec<Purpose>) {
    let (mut given, mut left) = (Vec::new(), Vec::new());
    for purpose in purposes {
        let name = purpose.variable();
        let option = options.pg_url.clone().filter(|_| matches!(purpose, Purpose::Tests | Purpose::Demo));
        match option.or_else(|| variable(name)).filter(|url| !url.trim().is_empty()) {
            Some(url) => given.push((name, url)),
            None => left.push(*purpose),
        }
    }
    (given, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = Purpose::Tests.variable();
    const CRASH: &str = Purpose::Crash.variable();

    fn given(option: Option<&str>, variables: &[(&str, &str)]) -> (Vec<(&'static str, String)>, Vec<Purpose>) {
        let options = PostgresOptions { pg_url: option.map(str::to_owned), ..Default::default() };
        let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, url)| (*url).to_owned());
        sort_out(&Purpose::SUITE, &options, value)
    }

    #[test]
    fn the_option_wins_over_the_variable() {
        let (found, left) = given(Some("postgres://option"), &[(MAIN, "postgres://variable")]);
        assert_eq!(found, [(MAIN, "postgres://option".to_owned())]);
        assert_eq!(left, Purpose::SUITE[1..]);
        assert_eq!(given(None, &[(MAIN, "postgres://variable")]).0, [(MAIN, "postgres://variable".to_owned())]);
        assert_eq!(given(None, &[(MAIN, " ")]), (vec![], Purpose::SUITE.to_vec()));
    }

    #[test]
    fn each_variable_stands_for_its_own_server() {
        let (found, left) = given(None, &[(CRASH, "postgres://crash")]);
        assert_eq!(found, [(CRASH, "postgres://crash".to_owned())]);
        assert_eq!(left, [Purpose::Tests, Purpose::German, Purpose::Japanese]);
    }
}
