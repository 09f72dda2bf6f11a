//! Throw-away PostgreSQL servers on loopback: made, started, waited for, stopped.

mod cluster;
mod server;
mod settings;
mod tools;

use std::path::Path;
use std::process::Command;

use super::account::Account;
use super::servers::Servers;
use crate::console::{Step, say};
use crate::process::AT_ONCE;
use crate::supervisor::Supervisor;
pub(crate) use server::Postgres;
pub(crate) use settings::Purpose;
pub(crate) use tools::Tools;

/// Starts one server per purpose, all at the same time.
pub(crate) fn start<'s>(
    supervisor: &'s Supervisor,
    tools: &Tools,
    purposes: &[Purpose],
) -> anyhow::Result<Servers<'s, Postgres>> {
    if purposes.is_empty() {
        return Ok(Servers::NONE);
    }
    let program = tools.server_program("postgres")?;
    let what = match purposes {
        [_] => version(&program),
        _ => format!("{}, {} servers", version(&program), purposes.len()),
    };
    let step = Step::begin(format_args!("starting {what}"));
    let account = Account::for_servers()?;
    let scratch = supervisor.scratch();
    account.own(scratch)?;

    let file = |purpose: &Purpose, ending| scratch.join(purpose.name()).with_extension(ending);
    let data: Vec<_> = purposes.iter().map(|purpose| file(purpose, "data")).collect();
    cluster::make(supervisor, account, &tools.server_program("initdb")?, &data)?;
    for (purpose, data) in purposes.iter().zip(&data) {
        if let Some(signal) = purpose.signal() {
            // By a program, because only the server's user can make files that belong to it.
            supervisor.run_quietly(account.command(Path::new("touch"), scratch).arg(data.join(signal)), AT_ONCE)?;
        }
    }
    let kinds = purposes.iter().zip(data).map(|(purpose, data)| Postgres {
        account,
        program: program.clone(),
        purpose: *purpose,
        sockets: scratch.to_owned(),
        data,
        log: file(purpose, "log"),
    });
    let servers = Servers::start(supervisor, kinds)?;
    step.done(format_args!("{what}: ready on 127.0.0.1"));
    if servers.kinds().any(Postgres::lacks_its_language) {
        say("the message catalogues of PostgreSQL are missing (images of containers often leave them out): \
             the tests on servers that speak other languages will fail");
    }
    Ok(servers)
}

/// Returns "PostgreSQL 15.14" from the program's own words: `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(postgres: &Path) -> String {
    let output = Command::new(postgres).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(2).map_or_else(|| "PostgreSQL".to_owned(), |number| format!("PostgreSQL {number}"))
}
