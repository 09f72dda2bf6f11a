//! `cargo xtask demo`: the main job, on a server that writes to disk as a real one does.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::cli::{Backend, DemoOptions};
use crate::console::say;
use crate::install::Need;
use crate::process::{AT_ONCE, exit_code};
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// The demo, optimised because it prints transfers per second. It is linked against the client library of its server only.
const CARGO_DEMO: &[&str] = &["run", "--release", "--package", "demo", "--no-default-features", "--features"];

/// The same transfers on SQLite.
const CARGO_DEMO_ON_SQLITE: &[&str] =
    &["run", "--release", "--package", "examples_on_sqlite", "--example", "demo_on_sqlite"];

pub(crate) fn run(options: &DemoOptions) -> anyhow::Result<ExitCode> {
    if let Some(option) = stray_url(options) {
        bail!("{option} names a server that this demo does not use: see --backend");
    }
    let supervisor = Supervisor::new()?;
    let (needs, wanted): (&[Need], _) = match options.backend() {
        Backend::Postgres => (&[Need::Libpq, Need::Pgbench], Wanted::DEMO),
        Backend::Mysql => (&[Need::Libmariadb], Wanted::DEMO_ON_MYSQL),
        Backend::Sqlite => return on_sqlite(&supervisor, options),
    };
    match Databases::open(&supervisor, &options.servers, needs, &wanted) {
        Ok(databases) => databases.run(&supervisor, cargo_demo(options)),
        // A server that was asked for is not replaced.
        Err(error) if options.backend.is_some() || options.servers.postgres.pg_url.is_some() => Err(error),
        Err(error) => {
            say(format_args!("no PostgreSQL, and none can be had: {error:#}"));
            say("the same transfers on SQLite, which needs no server");
            on_sqlite(&supervisor, options)
        }
    }
}

fn on_sqlite(supervisor: &Supervisor, options: &DemoOptions) -> anyhow::Result<ExitCode> {
    let mut command = workspace::cargo(CARGO_DEMO_ON_SQLITE);
    command.arg("--");
    pass_on(options, &mut command);
    Ok(exit_code(supervisor.spawn(&mut command, AT_ONCE)?.wait()?))
}

/// Returns the option that names a server of the other kind: it would be passed over in silence.
fn stray_url(options: &DemoOptions) -> Option<&'static str> {
    let postgres = options.servers.postgres.pg_url.as_ref().map(|_| "--pg-url");
    let mysql = options.servers.mariadb.mysql_url.as_ref().map(|_| "--mysql-url");
    match options.backend() {
        Backend::Postgres => mysql,
        Backend::Mysql => postgres,
        Backend::Sqlite => postgres.or(mysql),
    }
}

fn cargo_demo(options: &DemoOptions) -> Command {
    let mut command = workspace::cargo(CARGO_DEMO);
    command.args([if options.backend() == Backend::Mysql { "mysql" } else { "postgres" }, "--"]);
    pass_on(options, &mut command);
    command
}

fn pass_on(options: &DemoOptions, command: &mut Command) {
    for (name, value) in [("--seconds", options.seconds), ("--sessions", options.sessions)] {
        command.args(value.map(|value| [name.to_owned(), value.to_string()]).into_iter().flatten());
    }
    command.args(options.json.then_some("--json"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ServerOptions;

    #[test]
    fn only_what_was_asked_for_is_passed_on_and_nothing_is_passed_over() {
        let mut options = DemoOptions {
            backend: None,
            servers: ServerOptions::default(),
            seconds: Some(3),
            sessions: None,
            json: true,
        };
        let command = cargo_demo(&options);
        let arguments: Vec<_> = command.get_args().skip(CARGO_DEMO.len()).collect();
        assert_eq!(arguments, ["postgres", "--", "--seconds", "3", "--json"]);

        options.backend = Some(Backend::Mysql);
        let command = cargo_demo(&options);
        let arguments: Vec<_> = command.get_args().skip(CARGO_DEMO.len()).take(2).collect();
        assert_eq!(arguments, ["mysql", "--"]);

        options.servers.mariadb.mysql_url = Some("mysql://h/d".to_owned());
        assert_eq!(stray_url(&options), None);
        options.backend = Some(Backend::Postgres);
        assert_eq!(stray_url(&options), Some("--mysql-url"));
        options.backend = Some(Backend::Sqlite);
        assert_eq!(stray_url(&options), Some("--mysql-url"));
    }
}
