//! Django: a Python program beside this one, which makes slices when it is told to.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use url::Url;

use crate::{
    operation::{ACCOUNTS, HOT, Operation, TELLERS},
    shared::Result,
    slice::{Outcome, Slice, WARM},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/django_rival.py");
const REQUIREMENTS: [&str; 2] = ["django==5.2.19", "psycopg[binary]==3.3.9"];

/// The running program, ended when this is dropped.
pub(crate) struct Django {
    pub(crate) version: String,
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Django {
    /// Starts it by the Python that has Django, which is made if there is none.
    pub(crate) fn start() -> Result<Self> {
        let python = python()?;
        let mut child = Command::new(&python)
            .arg(SCRIPT)
            .args([ACCOUNTS, TELLERS, HOT].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Django {
            version: said(Command::new(python).args(["-m", "django", "--version"]))?,
            child,
            questions,
            answers,
        })
    }

    pub(crate) fn run(&mut self, slice: &Slice, url: &str) -> Result<Outcome> {
        let (operation, jobs) = match slice.operation {
            Operation::OneRow => ("one_row", 0),
            Operation::SixRows => ("six_rows", 0),
            Operation::Claim(n) => ("claim", n),
            Operation::Transfer => ("transfer", 0),
            Operation::NoTransaction => ("no_transaction", 0),
        };
        let url = Url::parse(url).map_err(|error| format!("Django is told its server by a URL: {error}"))?;
        let connection = json!({
            "NAME": url.path().trim_start_matches('/'), "USER": url.username(), "PASSWORD": url.password().unwrap_or(""),
            "HOST": url.host_str().unwrap_or(""), "PORT": url.port().unwrap_or(5432),
        });
        let task = json!({
            "operation": operation, "jobs": jobs, "sessions": slice.sessions, "calls": slice.calls, "seed": slice.seed,
            "limit": slice.limit.as_secs_f64(), "warm": WARM, "connection": connection,
        });
        writeln!(self.questions, "{task}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).map_err(|error| format!("{SCRIPT} said {line:?}: {error}"))?;
        if let Some(error) = answer["error"].as_str() {
            return Err(error.into());
        }
        Ok(Outcome {
            calls: answer["calls"].as_u64().ok_or("no calls")?,
            seconds: answer["seconds"].as_f64().ok_or("no seconds")?,
            warm: u64::from(WARM * slice.sessions),
            retries: answer["retries"].as_u64().ok_or("no retries")?,
        })
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the Python of the system if it has Django and psycopg, else that of a virtual environment beside this program.
fn python() -> Result<PathBuf> {
    let has_django = |python: &Path| said(Command::new(python).args(["-c", "import django, psycopg"])).is_ok();
    let system = PathBuf::from("python3");
    if has_django(&system) {
        return Ok(system);
    }
    let program = env::current_exe()?;
    let folder = program.parent().ok_or("this program is in no folder")?.join("django");
    let python = folder.join("bin").join("python");
    if !has_django(&python) {
        eprintln!("installing {} for Python into {}", REQUIREMENTS.join(" and "), folder.display());
        said(Command::new(&system).args(["-m", "venv"]).arg(&folder))?;
        said(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(REQUIREMENTS))?;
    }
    Ok(python)
}

/// Runs a program and returns what it printed, or the last line of its complaint.
fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", complaint.lines().last().unwrap_or("failed without a word")).into())
}
