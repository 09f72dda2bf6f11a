//! A throw-away PostgreSQL server on loopback: made, started, waited for, stopped.

mod account;
mod settings;
mod tools;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use crate::console::{Step, say};
use crate::process::{AT_ONCE, Ending, Group, last_lines};
use crate::supervisor::Supervisor;
use crate::workspace;
use account::Account;
pub(crate) use settings::Purpose;
pub(crate) use tools::Tools;

/// SIGINT is a fast shutdown (sessions are cut off, data is written), SIGQUIT one without writing.
/// <https://www.postgresql.org/docs/current/server-shutdown.html>
const ENDING: Ending = &[
    (Signal::INT, Duration::from_secs(8)),
    (Signal::QUIT, Duration::from_secs(3)),
    (Signal::KILL, Duration::from_secs(2)),
];

/// Between the choice of a free port and its use another program may take it.
const ATTEMPTS: u32 = 5;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server, stopped on drop.
#[derive(Debug)]
pub(crate) struct Server<'s> {
    group: Group<'s>,
    url: String,
    log: PathBuf,
}

impl<'s> Server<'s> {
    /// Makes a database cluster in the scratch folder and starts a server on it.
    pub(crate) fn start(supervisor: &'s Supervisor, tools: &Tools, purpose: Purpose) -> anyhow::Result<Self> {
        let postgres = tools.server_program("postgres")?;
        let version = version(&postgres);
        let step = Step::begin(format_args!("starting {version}"));
        let account = Account::for_server()?;
        account.own(supervisor.scratch())?;

        let data = supervisor.scratch().join("data");
        make_cluster(supervisor, &account, &tools.server_program("initdb")?, &data)?;
        for attempt in 1.. {
            let port = free_port()?;
            let arguments = settings::server_arguments(&data, supervisor.scratch(), port, purpose);
            match launch(supervisor, &account, &postgres, &arguments, &data)? {
                Launch::Ready { group, log } => {
                    step.done(format_args!("{version} is ready on 127.0.0.1:{port}"));
                    return Ok(Self { group, url: settings::url(port), log });
                }
                Launch::PortTaken if attempt < ATTEMPTS => {}
                Launch::PortTaken => break,
            }
        }
        bail!("every free port was taken by another program before PostgreSQL could use it")
    }

    /// Returns the URL of the server's maintenance database, with its superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Fails if the server has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.group.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("PostgreSQL has ended ({status}):\n{}", last_lines(File::open(&self.log)?)),
        }
    }

    pub(crate) fn keep_log(&self) -> std::io::Result<PathBuf> {
        let folder = workspace::keep_folder();
        fs::create_dir_all(&folder)?;
        let kept = folder.join("postgres.log");
        fs::copy(&self.log, &kept)?;
        Ok(kept)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.group.end();
        say("PostgreSQL is stopped");
    }
}

fn make_cluster(supervisor: &Supervisor, account: &Account, initdb: &Path, data: &Path) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for locale in settings::LOCALES {
        let mut command = account.command(initdb, supervisor.scratch());
        command.args(settings::initdb_arguments(data, locale));
        outcome = supervisor.run_quietly(&mut command, AT_ONCE);
        if outcome.is_ok() {
            break;
        }
        // Most likely the locale is missing; if it is something else, the last attempt says so.
        supervisor.interrupt().check()?;
    }
    outcome
}

enum Launch<'s> {
    Ready { group: Group<'s>, log: PathBuf },
    PortTaken,
}

fn launch<'s>(
    supervisor: &'s Supervisor,
    account: &Account,
    postgres: &Path,
    arguments: &[OsString],
    data: &Path,
) -> anyhow::Result<Launch<'s>> {
    let log = supervisor.scratch().join("postgres.log");
    let output = File::create(&log).context("cannot write the log of the server")?;
    let mut command = account.command(postgres, supervisor.scratch());
    command.args(arguments).stdout(output.try_clone()?).stderr(output);
    let mut group = supervisor.spawn(&mut command, ENDING)?;

    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        supervisor.interrupt().check()?;
        if is_ready(data) {
            return Ok(Launch::Ready { group, log });
        }
        if group.try_wait()?.is_some() {
            // The messages are in English: settings.rs sees to that.
            let text = fs::read_to_string(&log).unwrap_or_default();
            if text.contains("could not bind") {
                return Ok(Launch::PortTaken);
            }
            bail!("PostgreSQL did not start:\n{}", last_lines(text.as_bytes()));
        }
        if Instant::now() > deadline {
            bail!("PostgreSQL did not start within {START_TIMEOUT:?}:\n{}", last_lines(File::open(&log)?));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Tells whether the server accepts connections, by the eighth line of its lock file, as `pg_ctl` does.
///
/// A connection attempt would say less: it succeeds while the server still starts up, and also if the port belongs
/// to somebody else.
fn is_ready(data: &Path) -> bool {
    fs::read_to_string(data.join("postmaster.pid"))
        .is_ok_and(|lines| lines.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Returns "PostgreSQL 15.14" from the program's own words: `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(postgres: &Path) -> String {
    let output = Command::new(postgres).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(2).map_or_else(|| "PostgreSQL".to_owned(), |number| format!("PostgreSQL {number}"))
}
