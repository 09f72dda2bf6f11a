//! `cargo xtask test --matrix`: the tests on one server after the other.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `servers` | which there are |
//! | `suite` | the calls of cargo, and how their answers are read |
//! | `table` | what came out |

mod servers;
mod suite;
mod table;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::{Context as _, bail};

use self::servers::{Family, Server};
use self::table::{Outcome, Row, Table};
use crate::cli::TestOptions;
use crate::console::{Step, say};
use crate::process::AT_ONCE;
use crate::server::Databases;
use crate::supervisor::Supervisor;
use crate::{test, workspace};

pub(crate) fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let named = std::env::var(servers::VARIABLE).unwrap_or_default();
    let named = servers::parse(&named).with_context(|| format!("cannot read {}", servers::VARIABLE))?;
    let supervisor = Supervisor::new()?;
    let mut matrix = Matrix::open(&supervisor, options)?;
    let own = |family: Family| Server { name: matrix.databases.name(family.variable()), family, url: None };
    let servers: Vec<_> = named.into_iter().chain(Family::STARTED.map(own)).collect();
    matrix.build(&servers)?;

    let mut table = Table::default();
    let outcome = servers.into_iter().try_for_each(|server| {
        table.rows.push(matrix.row(server)?);
        anyhow::Ok(())
    });
    // Also after Ctrl-C: what is known by then may have taken long.
    write!(std::io::stdout(), "{table}").context("cannot print the table")?;
    outcome?;
    if table.is_well() {
        return Ok(ExitCode::SUCCESS);
    }
    matrix.databases.keep_logs();
    Ok(ExitCode::FAILURE)
}

struct Matrix<'s> {
    supervisor: &'s Supervisor,
    databases: Databases<'s>,
    options: &'s TestOptions,
    /// Where the output of the tests goes.
    folder: PathBuf,
}

impl<'s> Matrix<'s> {
    fn open(supervisor: &'s Supervisor, options: &'s TestOptions) -> anyhow::Result<Self> {
        let databases = test::databases(supervisor, options)?;
        let folder = workspace::keep_folder();
        fs::create_dir_all(&folder).context("cannot make a folder for the output of the tests")?;
        Ok(Self { supervisor, databases, options, folder })
    }

    /// Builds the test programs of these servers.
    fn build(&self, servers: &[Server]) -> anyhow::Result<()> {
        let programs: BTreeSet<_> = servers.iter().flat_map(|server| server.family.programs()).copied().collect();
        let mut build = suite::build(&Vec::from_iter(programs));
        self.databases.equip(&mut build);
        if !self.supervisor.spawn(&mut build, AT_ONCE)?.wait()?.success() {
            bail!("the tests cannot be built");
        }
        Ok(())
    }

    /// Lists the tests that are asked for.
    fn list(&mut self, family: Family) -> anyhow::Result<String> {
        let log = self.supervisor.scratch().join("tests.list");
        if !self.run(suite::list(family, &self.options.passed_on), None, &log)?.success() {
            bail!("the tests cannot be listed:\n{}", read(&log)?);
        }
        read(&log)
    }

    fn row(&mut self, server: Server) -> anyhow::Result<Row> {
        let log = self.folder.join(format!("matrix-{}.log", server.name));
        let begun = Instant::now();
        let listed = self.list(server.family)?;
        let tests = suite::listed(&listed, server.family);
        let (outcome, version) = if tests.is_empty() {
            (Outcome::NothingToRun, String::new())
        } else {
            let step = Step::begin(format_args!("{}: {} tests", server.name, tests.len()));
            let one = server.one();
            self.run(suite::version(one.family), Some(&one), &log)?;
            let version = suite::told_version(&read(&log)?).map(str::to_owned);
            let outcome = match version {
                Some(_) => self.tested(&server, &tests, &log)?,
                None => Outcome::NotReached,
            };
            step.done(format_args!("{}: {}", server.name, outcome.word()));
            (outcome, version.unwrap_or_default())
        };
        if matches!(outcome, Outcome::Broke | Outcome::NotReached | Outcome::Ran { failed: 1.., .. }) {
            suite::failed(&read(&log)?).iter().for_each(|test| say(format_args!("{}: {test} failed", server.name)));
            say(format_args!("{}: what the tests said was kept: {}", server.name, log.display()));
        }
        Ok(Row { name: server.name, outcome, seconds: begun.elapsed().as_secs_f32(), version })
    }

    fn tested(&mut self, server: &Server, tests: &[&str], log: &Path) -> anyhow::Result<Outcome> {
        let status = self.run(suite::run(server.family, tests, &self.options.passed_on), Some(server), log)?;
        Ok(match suite::counts(&read(log)?, server.family.programs().len()) {
            // A program that fails for another reason than its tests has not done well.
            Some((passed, failed)) if status.success() == (failed == 0) => Outcome::Ran { passed, failed },
            _ => Outcome::Broke,
        })
    }

    /// Runs cargo to its end, with its output in the file `log`.
    fn run(&mut self, mut command: Command, on: Option<&Server>, log: &Path) -> anyhow::Result<ExitStatus> {
        let output = || -> std::io::Result<_> {
            let output = File::create(log)?;
            Ok((output.try_clone()?, output))
        };
        let (stdout, stderr) = output().context("cannot write the output of the tests")?;
        command.stdout(stdout).stderr(stderr);
        test::instruct(&mut command, self.options);
        self.databases.equip(&mut command);
        if let Some(Server { family, url: Some(url), .. }) = on {
            command.env(family.variable(), url);
        }
        self.supervisor.spawn(&mut command, AT_ONCE)?.wait_and(|| self.databases.revive())
    }
}

/// Not a `String` as it lies there: a test may print whatever a server said.
fn read(log: &Path) -> anyhow::Result<String> {
    let output = fs::read(log).context("cannot read the output of the tests")?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}
