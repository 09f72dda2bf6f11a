//! `cargo xtask`: chores of this repository that need more than cargo, above all a database server.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `cli` | the options of the command line |
//! | `test`, `demo`, `bench`, `serve`, `setup` | one command each |
//! | `matrix` | `test` on one server after the other |
//! | `server` | databases to work on: a given one, or a throw-away server of our own |
//! | `install` | what is missing on this machine and how to get it |
//! | `supervisor`, `process`, `watchdog`, `interrupt` | nothing outlives the command, however it ends |
//! | `workspace`, `console` | where things lie; what is said on standard error |

mod cli;

#[cfg(unix)]
mod bench;
#[cfg(unix)]
mod console;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod matrix;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod setup;
#[cfg(unix)]
mod supervisor;
#[cfg(unix)]
mod test;
#[cfg(unix)]
mod watchdog;
#[cfg(unix)]
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use cli::Cli;
#[cfg(unix)]
use cli::Command;

#[cfg(unix)]
fn main() -> ExitCode {
    // Only the exit code leaves the inner function: whatever was started has been stopped by then.
    run().unwrap_or_else(|error| {
        console::say(format_args!("{error:#}"));
        if let Some(interrupted) = error.downcast_ref::<interrupt::Interrupted>() {
            interrupted.exit_code()
        } else if error.is::<install::Missing>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Reads the command line and runs the command that it names.
#[cfg(unix)]
fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Test(options) if options.matrix => matrix::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Install(options) => setup::run(&options),
    }
}

/// Keeps `cargo build --workspace` working on Windows, where servers are not stopped by signals.
#[cfg(not(unix))]
fn main() -> ExitCode {
    let _ = Cli::parse();
    eprintln!("xtask starts and stops servers by Unix signals: please run it on Linux, macOS or WSL.");
    ExitCode::from(2)
}
