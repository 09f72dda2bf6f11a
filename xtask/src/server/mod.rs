//! Databases to work on: a server that was given, or a throw-away one. One file or folder per kind of server
//! (PostgreSQL for now; MariaDB goes beside it as `mariadb.rs`).

pub(crate) mod postgres;

use std::process::Command;

use crate::cli::PostgresOptions;
use crate::console::say;
use crate::install::{self, Need};
use crate::supervisor::Supervisor;
use postgres::{Purpose, Server, Tools};

/// The variable that names the PostgreSQL server, as in Diesel's own tests.
pub(crate) const PG_DATABASE_URL: &str = "PG_DATABASE_URL";

/// A database server that is up, and the tools to build and run programs against it.
#[derive(Debug)]
pub(crate) struct Database<'s> {
    source: Source<'s>,
    tools: Tools,
}

#[derive(Debug)]
enum Source<'s> {
    Given(String),
    Own(Server<'s>),
}

impl<'s> Database<'s> {
    /// Gets what is missing, and starts a server unless one was given.
    pub(crate) fn open(
        supervisor: &'s Supervisor,
        options: &PostgresOptions,
        needs: &[Need],
        purpose: Purpose,
    ) -> anyhow::Result<Self> {
        if let Some(url) = given_url(options, std::env::var(PG_DATABASE_URL).ok()) {
            let tools = install::ensure(supervisor, options, needs)?;
            say("using the PostgreSQL server that was given; starting none");
            return Ok(Self { source: Source::Given(url), tools });
        }
        let tools = install::ensure(supervisor, options, &[needs, &[Need::Server]].concat())?;
        let server = Server::start(supervisor, &tools, purpose)?;
        Ok(Self { source: Source::Own(server), tools })
    }

    /// Sets what a cargo command needs to link libpq and to find the server and pgbench.
    pub(crate) fn equip(&self, command: &mut Command) {
        let url = match &self.source {
            Source::Given(url) => url,
            Source::Own(server) => server.url(),
        };
        command.env(PG_DATABASE_URL, url).envs(install::libpq::link_variable(&self.tools));
        if let Some(pgbench) = self.tools.pgbench() {
            command.env("PGBENCH", pgbench);
        }
    }

    /// Copies the log of a throw-away server to where it survives, for whoever looks into a failure.
    pub(crate) fn keep_log(&self) {
        if let Source::Own(server) = &self.source {
            match server.keep_log() {
                Ok(kept) => say(format_args!("the log of the server is in {}", kept.display())),
                Err(error) => say(format_args!("the log of the server could not be kept: {error}")),
            }
        }
    }
}

/// Returns the URL from the option, else from the variable; an empty variable counts as unset.
fn given_url(options: &PostgresOptions, variable: Option<String>) -> Option<String> {
    options.pg_url.clone().or(variable).filter(|url| !url.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_the_variable() {
        let none = PostgresOptions::default();
        let some = PostgresOptions { pg_url: Some("postgres://option".to_owned()), ..Default::default() };
        let variable = || Some("postgres://variable".to_owned());
        assert_eq!(given_url(&some, variable()).as_deref(), Some("postgres://option"));
        assert_eq!(given_url(&none, variable()).as_deref(), Some("postgres://variable"));
        assert_eq!(given_url(&none, Some(String::new())), None);
        assert_eq!(given_url(&none, None), None);
    }
}
