//! What a command needs on this machine, and how it gets there when it is missing.

mod advice;
mod apt;
mod libmariadb;
pub(crate) mod libpq;
pub(crate) mod pgbouncer;

use std::fmt;
use std::path::PathBuf;

use crate::cli::ServerOptions;
use crate::server::{mariadb, postgres};
use crate::supervisor::Supervisor;

/// Something that must be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// `initdb` and `postgres`.
    Postgres,
    /// PostgreSQL's own load generator.
    Pgbench,
    /// The pooler in front of PostgreSQL.
    Pgbouncer,
    /// PostgreSQL's client library, to link against.
    Libpq,
    /// `mariadbd` and `mariadb-install-db`.
    Mariadb,
    /// The client library of MySQL or MariaDB, to link against.
    Libmariadb,
    /// The counter of instructions.
    Valgrind,
}

/// Where the programs of this machine lie.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) postgres: postgres::Tools,
    pub(crate) mariadb: mariadb::Tools,
}

impl Tools {
    fn look(options: &ServerOptions) -> Self {
        Self {
            postgres: postgres::Tools::look(options.postgres.pg_bin.as_deref()),
            mariadb: mariadb::Tools::look(options.mariadb.mysql_bin.as_deref()),
        }
    }
}

impl Need {
    fn is_met(self, tools: &Tools) -> bool {
        match self {
            Self::Postgres => tools.postgres.server_folder().is_some(),
            Self::Pgbouncer => pgbouncer::find().is_some(),
            Self::Pgbench => tools.postgres.pgbench().is_some(),
            Self::Libpq => libpq::is_there(&tools.postgres),
            Self::Mariadb => tools.mariadb.has_server(),
            Self::Libmariadb => libmariadb::is_there(),
            Self::Valgrind => advice::is_on_path("valgrind"),
        }
    }

    /// Returns the folder that the options name for it.
    fn named_folder(self, options: &ServerOptions) -> Option<&PathBuf> {
        match self {
            Self::Postgres | Self::Pgbench => options.postgres.pg_bin.as_ref(),
            Self::Mariadb => options.mariadb.mysql_bin.as_ref(),
            Self::Pgbouncer | Self::Libpq | Self::Libmariadb | Self::Valgrind => None,
        }
    }

    /// Returns the variable that names a server which is there already, in place of an installed one.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("PG_DATABASE_URL"),
            Self::Mariadb => Some(mariadb::Purpose::Tests.variable()),
            Self::Pgbench | Self::Pgbouncer | Self::Libpq | Self::Libmariadb | Self::Valgrind => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "the PostgreSQL server (initdb, postgres)",
            Self::Pgbench => "pgbench",
            Self::Pgbouncer => "pgbouncer",
            Self::Libpq => "PostgreSQL's client library (libpq) with its development files",
            Self::Mariadb => "the MariaDB server (mariadbd, mariadb-install-db)",
            Self::Libmariadb => "the client library of MariaDB (libmariadb) with its development files, and pkg-config",
            Self::Valgrind => "valgrind",
        }
    }
}

/// Returns the tools of this machine, after having installed what the needs call for.
///
/// # Errors
///
/// [`Missing`] if something is not there and cannot be installed from here.
pub(crate) fn ensure(supervisor: &Supervisor, options: &ServerOptions, needs: &[Need]) -> anyhow::Result<Tools> {
    let tools = Tools::look(options);
    let absent = missing(needs, &tools);
    if absent.is_empty() {
        return Ok(tools);
    }
    // What is not in the folder that was named would not be there after an installation either.
    let in_named_folder = absent.iter().any(|need| need.named_folder(options).is_some());
    if options.no_install || in_named_folder || !apt::is_available() {
        return Err(Missing::new(absent, options).into());
    }
    apt::install(supervisor, &absent)?;

    let tools = Tools::look(options);
    let absent = missing(needs, &tools);
    if absent.is_empty() { Ok(tools) } else { Err(Missing::new(absent, options).into()) }
}

fn missing(needs: &[Need], tools: &Tools) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.is_met(tools)).collect()
}

/// The error of a machine that lacks something which xtask could not install.
#[derive(Debug)]
pub(crate) struct Missing {
    needs: Vec<Need>,
    /// The only folders that were looked into, if some were named.
    only: Vec<PathBuf>,
}

impl Missing {
    fn new(needs: Vec<Need>, options: &ServerOptions) -> Self {
        let mut only: Vec<PathBuf> = needs.iter().filter_map(|need| need.named_folder(options)).cloned().collect();
        only.dedup();
        Self { needs, only }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.needs.iter().map(|need| need.name()).collect();
        write!(f, "missing: {}. ", names.join(", "))?;
        for only in &self.only {
            write!(f, "Its programs were looked for in {} only. ", only.display())?;
        }
        let variables: Option<Vec<&str>> = self.needs.iter().map(|need| need.variable()).collect();
        if let Some(variables) = variables {
            write!(
                f,
                "Set {} (for the tests the variables of their other servers too, see \
                 `cargo xtask test --help`) to use a server that is already running, or install with:",
                variables.join(" and ")
            )?;
        } else {
            write!(f, "Install with:")?;
        }
        advice::lines(&self.needs).iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_what_is_missing() {
        let missing = |needs: &[Need], options: &ServerOptions| Missing::new(needs.to_vec(), options).to_string();
        let mut options = ServerOptions::default();
        let text = missing(&[Need::Pgbench, Need::Libpq], &options);
        assert!(text.starts_with("missing: pgbench, PostgreSQL's client library"), "{text}");
        assert!(!text.contains("PG_DATABASE_URL"), "{text}");
        let text = missing(&[Need::Postgres, Need::Mariadb], &options);
        assert!(text.contains("Set PG_DATABASE_URL and MYSQL_DATABASE_URL ("), "{text}");
        options.postgres.pg_bin = Some("/opt/pg".into());
        let text = missing(&[Need::Postgres], &options);
        assert!(text.contains("PG_DATABASE_URL") && text.contains("in /opt/pg only"), "{text}");
        let text = missing(&[Need::Mariadb, Need::Libmariadb], &options);
        assert!(!text.contains("only") && !text.contains("MYSQL_DATABASE_URL"), "{text}");
    }
}
