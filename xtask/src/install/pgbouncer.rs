//! Where pgbouncer lies: a pooler is no part of the server, whose folders need not have it.

use std::path::PathBuf;

/// The variable that names the program, for the tests; if it is set already, it is believed.
pub(crate) const VARIABLE: &str = "PGBOUNCER";

/// Where to look besides PATH.
const USUAL: &[&str] = &[
    "/usr/sbin", // Debian, Ubuntu: not in the PATH of everybody
    "/usr/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
];

/// Returns the path of the program.
pub(crate) fn find() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|program| !program.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let folders = folders.chain(USUAL.iter().map(PathBuf::from));
    named.into_iter().chain(folders.map(|folder| folder.join("pgbouncer"))).find(|program| program.is_file())
}
