//! `cargo xtask demo`: the main job, on a server that writes to disk as a real one does.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::cli::{Backend, DemoOptions};
use crate::install::Need;
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// The demo, optimised because it prints transfers per second.
const CARGO_DEMO: &[&str] =
    &["run", "--release", "--package", "diesel_lockset", "--example", "demo", "--features", "postgres,mysql"];

pub(crate) fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    if let Some(option) = stray_url(options) {
        bail!("{option} names a server that this demo does not use: see --backend");
    }
    let supervisor = Supervisor::new()?;
    // The demo talks to one kind of server, but is linked against both client libraries.
    let (needs, wanted): (&[Need], _) = match options.backend {
        Backend::Postgres => (&[Need::Libpq, Need::Libmariadb, Need::Pgbench], Wanted::DEMO),
        Backend::Mysql => (&[Need::Libpq, Need::Libmariadb], Wanted::DEMO_ON_MYSQL),
    };
    let databases = Databases::open(&supervisor, &options.servers, needs, &wanted)?;
    databases.run(&supervisor, cargo_demo(options))
}

/// Returns the option that names a server of the other kind: it would be passed over in silence.
fn stray_url(options: &DemoOptions) -> Option<&'static str> {
    match options.backend {
        Backend::Postgres => options.servers.mariadb.mysql_url.as_ref().map(|_| "--mysql-url"),
        Backend::Mysql => options.servers.postgres.pg_url.as_ref().map(|_| "--pg-url"),
    }
}

fn cargo_demo(options: &DemoOptions) -> Command {
    let mut command = workspace::cargo(CARGO_DEMO);
    command.arg("--");
    if options.backend == Backend::Mysql {
        command.args(["--backend", "mysql"]);
    }
    for (name, value) in [("--seconds", options.seconds), ("--sessions", options.sessions)] {
        command.args(value.map(|value| [name.to_owned(), value.to_string()]).into_iter().flatten());
    }
    command.args(options.json.then_some("--json"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_passed_on_and_nothing_is_passed_over() {
        let (backend, servers) = Default::default();
        let mut options = DemoOptions { backend, servers, seconds: Some(3), sessions: None, json: true };
        let command = cargo_demo(&options);
        let arguments: Vec<_> = command.get_args().skip(CARGO_DEMO.len()).collect();
        assert_eq!(arguments, ["--", "--seconds", "3", "--json"]);

        options.backend = Backend::Mysql;
        let command = cargo_demo(&options);
        let arguments: Vec<_> = command.get_args().skip(CARGO_DEMO.len()).take(3).collect();
        assert_eq!(arguments, ["--", "--backend", "mysql"]);

        options.servers.mariadb.mysql_url = Some("mysql://h/d".to_owned());
        assert_eq!(stray_url(&options), None);
        options.backend = Backend::Postgres;
        assert_eq!(stray_url(&options), Some("--mysql-url"));
    }
}
