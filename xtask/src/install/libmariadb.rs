//! Whether programs can be linked against the client library of MySQL or MariaDB, asked the way the build script of
//! `mysqlclient-sys` asks.

use std::process::Command;

use super::libpq::succeeds;

/// The variables by which `mysqlclient-sys` is told where the library lies, and which one it is.
const TOLD: [&str; 2] = ["MYSQLCLIENT_LIB_DIR", "MYSQLCLIENT_VERSION"];

pub(super) fn is_there() -> bool {
    TOLD.iter().all(|variable| std::env::var_os(variable).is_some())
        || ["mysqlclient", "libmariadb"]
            .iter()
            .any(|name| succeeds(Command::new("pkg-config").args(["--exists", name])))
        || succeeds(Command::new("mysql_config").arg("--libs"))
}
