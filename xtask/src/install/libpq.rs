//! Whether programs can be linked against libpq, asked the way the build script of `pq-sys` asks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::postgres::Tools;

/// The variable by which `pq-sys` is told where the library lies.
const PQ_LIB_DIR: &str = "PQ_LIB_DIR";

pub(super) fn is_there(tools: &Tools) -> bool {
    is_found_by_build() || beside_the_server(tools).is_some()
}

/// Returns the variable to set where the build would not find the library by itself: Homebrew keeps it out of the
/// usual places.
pub(crate) fn link_variable(tools: &Tools) -> Option<(&'static str, PathBuf)> {
    if is_found_by_build() { None } else { beside_the_server(tools).map(|folder| (PQ_LIB_DIR, folder)) }
}

fn is_found_by_build() -> bool {
    std::env::var_os(PQ_LIB_DIR).is_some_and(|folder| has_library(Path::new(&folder)))
        || succeeds(Command::new("pkg-config").args(["--exists", "libpq"]))
        || output(Command::new("pg_config").arg("--libdir")).is_some_and(|folder| has_library(Path::new(&folder)))
}

fn beside_the_server(tools: &Tools) -> Option<PathBuf> {
    tools.folder_of_libpq().filter(|folder| has_library(folder))
}

/// Tells whether the folder has the name that linkers look for, which only development packages bring.
fn has_library(folder: &Path) -> bool {
    ["libpq.so", "libpq.dylib", "libpq.a"].iter().any(|name| folder.join(name).exists())
}

pub(super) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
