//! Installation on Debian and Ubuntu, the one family where it can be done without asking.

use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::Need;
use crate::console::Step;
use crate::process::IN_ITS_OWN_TIME;
use crate::supervisor::Supervisor;

/// Depends on the server of the release, whose package also has initdb and pgbench, and on its client.
pub(super) const POSTGRES: &str = "postgresql";

/// Would start a service too, which `apt.sh` keeps it from.
pub(super) const PGBOUNCER: &str = "pgbouncer";

/// Brings `libpq.so` and `libpq.pc`.
pub(super) const LIBPQ: &str = "libpq-dev";

/// The programs alone: the package `mariadb-server` would start a service. The client's has what `mariadb-install-db`
/// calls.
pub(super) const MARIADB: [&str; 2] = ["mariadb-server-core", "mariadb-client"];

/// Brings `libmariadb.so` and `libmariadb.pc`, and what reads the latter.
pub(super) const LIBMARIADB: [&str; 2] = ["libmariadb-dev", "pkg-config"];

/// Tells whether packages can be installed without a question: apt-get is there, and we are root or may be.
pub(super) fn is_available() -> bool {
    let succeeds = |command: &mut Command| {
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        silent.status().is_ok_and(|status| status.success())
    };
    succeeds(Command::new("apt-get").arg("--version"))
        && (geteuid().is_root() || succeeds(Command::new("sudo").args(["-n", "true"])))
}

pub(super) fn install(supervisor: &Supervisor, needs: &[Need]) -> anyhow::Result<()> {
    let packages = packages(needs);
    let names = packages.join(" ");
    let step = Step::begin(format_args!("installing {names} (apt-get)"));
    supervisor.run_quietly(&mut command(geteuid().is_root(), &packages), IN_ITS_OWN_TIME)?;
    step.done(format_args!("installed {names}"));
    Ok(())
}

fn packages(needs: &[Need]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in needs {
        packages.extend_from_slice(match need {
            Need::Postgres | Need::Pgbench => &[POSTGRES],
            Need::Pgbouncer => &[PGBOUNCER],
            Need::Libpq => &[LIBPQ],
            Need::Mariadb => &MARIADB,
            Need::Libmariadb => &LIBMARIADB,
            Need::Valgrind => &["valgrind"],
        });
    }
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn command(is_root: bool, packages: &[&str]) -> Command {
    let mut command = Command::new(if is_root { "sh" } else { "sudo" });
    if !is_root {
        command.args(["-n", "sh"]);
    }
    command.args(["-c", include_str!("apt.sh"), "apt.sh"]).args(packages);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_comes_with_the_server() {
        assert_eq!(packages(&[Need::Pgbench]), [POSTGRES]);
        assert_eq!(packages(&[Need::Postgres, Need::Pgbench, Need::Libpq]), [LIBPQ, POSTGRES]);
        assert_eq!(packages(&[Need::Libpq]), [LIBPQ]);
    }

    #[test]
    fn only_root_does_without_sudo() {
        assert_eq!(command(true, &[LIBPQ]).get_program(), "sh");
        assert_eq!(command(false, &[LIBPQ]).get_program(), "sudo");
    }
}
