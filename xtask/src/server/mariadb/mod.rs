//! Throw-away MariaDB servers on loopback: made, started, waited for, stopped.

mod data;
mod server;
mod settings;
mod tools;

use std::path::Path;
use std::process::Command;

use super::account::Account;
use super::servers::Servers;
use crate::console::Step;
use crate::supervisor::Supervisor;
pub(crate) use server::Mariadb;
pub(crate) use settings::Purpose;
pub(crate) use tools::Tools;

/// Starts one server per purpose, all at the same time.
pub(crate) fn start<'s>(
    supervisor: &'s Supervisor,
    tools: &Tools,
    purposes: &[Purpose],
) -> anyhow::Result<Servers<'s, Mariadb>> {
    if purposes.is_empty() {
        return Ok(Servers::NONE);
    }
    let programs = tools.programs()?;
    let what = match purposes {
        [_] => version(&programs.server),
        _ => format!("{}, {} servers", version(&programs.server), purposes.len()),
    };
    let step = Step::begin(format_args!("starting {what}"));
    let account = Account::for_servers()?;
    let scratch = supervisor.scratch();
    account.own(scratch)?;

    data::make(supervisor, account, &programs, purposes)?;
    let kinds = purposes.iter().map(|purpose| Mariadb {
        account,
        program: programs.server.clone(),
        purpose: *purpose,
        scratch: scratch.to_owned(),
        log: purpose.file(scratch, "log"),
    });
    let servers = Servers::start(supervisor, kinds)?;
    step.done(format_args!("{what}: ready on 127.0.0.1"));
    Ok(servers)
}

/// Returns "MariaDB 10.11.14" from the program's own words: `mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for ..`.
fn version(mariadbd: &Path) -> String {
    let output = Command::new(mariadbd).args(["--no-defaults", "--version"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let number = text.split_whitespace().skip_while(|word| *word != "Ver").nth(1);
    let number = number.and_then(|number| number.split('-').next());
    number.map_or_else(|| "MariaDB".to_owned(), |number| format!("MariaDB {number}"))
}
