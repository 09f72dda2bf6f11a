//! What a command needs on this machine, and how it gets there when it is missing.

mod advice;
mod apt;
pub(crate) mod libpq;

use std::fmt;
use std::path::PathBuf;

use crate::cli::PostgresOptions;
use crate::server::postgres::Tools;
use crate::supervisor::Supervisor;

/// Something that must be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// `initdb` and `postgres`.
    Server,
    /// PostgreSQL's own load generator.
    Pgbench,
    /// PostgreSQL's client library, to link against.
    Libpq,
}

impl Need {
    fn is_met(self, tools: &Tools) -> bool {
        match self {
            Self::Server => tools.server_folder().is_some(),
            Self::Pgbench => tools.pgbench().is_some(),
            Self::Libpq => libpq::is_there(tools),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Server => "the PostgreSQL server (initdb, postgres)",
            Self::Pgbench => "pgbench",
            Self::Libpq => "PostgreSQL's client library (libpq) with its development files",
        }
    }
}

/// Returns the tools of this machine, after having installed what the needs call for.
///
/// # Errors
///
/// [`Missing`] if something is not there and cannot be installed from here.
pub(crate) fn ensure(supervisor: &Supervisor, options: &PostgresOptions, needs: &[Need]) -> anyhow::Result<Tools> {
    let look = || Tools::look(options.pg_bin.as_deref());
    let tools = look();
    let absent = missing(needs, &tools);
    if absent.is_empty() {
        return Ok(tools);
    }
    // What is not in the folder that was named would not be there after an installation either.
    let in_named_folder = options.pg_bin.is_some() && absent.iter().any(|need| *need != Need::Libpq);
    if options.no_install || in_named_folder || !apt::is_available() {
        return Err(Missing { needs: absent, only: options.pg_bin.clone() }.into());
    }
    apt::install(supervisor, &absent)?;

    let tools = look();
    let absent = missing(needs, &tools);
    if absent.is_empty() { Ok(tools) } else { Err(Missing { needs: absent, only: options.pg_bin.clone() }.into()) }
}

fn missing(needs: &[Need], tools: &Tools) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.is_met(tools)).collect()
}

/// The error of a machine that lacks something which xtask could not install.
#[derive(Debug)]
pub(crate) struct Missing {
    needs: Vec<Need>,
    /// The only folder that was looked into, if one was named.
    only: Option<PathBuf>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.needs.iter().map(|need| need.name()).collect();
        write!(f, "missing: {}. ", names.join(", "))?;
        if let Some(only) = &self.only {
            write!(f, "PostgreSQL's programs were looked for in {} only. ", only.display())?;
        }
        let wants_server_only = self.needs.iter().all(|need| *need == Need::Server);
        if wants_server_only {
            write!(
                f,
                "Set PG_DATABASE_URL (for the tests the variables of their other servers too, see \
                 `cargo xtask test --help`) to use a server that is already running, or install it with:"
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
        let text = Missing { needs: vec![Need::Pgbench, Need::Libpq], only: None }.to_string();
        assert!(text.starts_with("missing: pgbench, PostgreSQL's client library"), "{text}");
        assert!(!text.contains("PG_DATABASE_URL"), "{text}");
        let text = Missing { needs: vec![Need::Server], only: Some("/opt/pg".into()) }.to_string();
        assert!(text.contains("PG_DATABASE_URL") && text.contains("in /opt/pg only"), "{text}");
    }
}
