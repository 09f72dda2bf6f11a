//! The one line to run on each kind of system.

use std::slice;

use super::Need;

/// A package manager, and the packages that bring each thing.
struct Manager {
    program: &'static str,
    install: &'static str,
    postgres: &'static str,
    pgbench: &'static str,
    pgbouncer: &'static str,
    libpq: &'static str,
    mariadb: &'static [&'static str],
    libmariadb: &'static [&'static str],
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        install: "sudo apt-get update && sudo apt-get install --no-install-recommends",
        postgres: super::apt::POSTGRES,
        pgbench: super::apt::POSTGRES,
        pgbouncer: super::apt::PGBOUNCER,
        libpq: super::apt::LIBPQ,
        mariadb: &super::apt::MARIADB,
        libmariadb: &super::apt::LIBMARIADB,
    },
    Manager {
        program: "dnf",
        install: "sudo dnf install",
        postgres: "postgresql-server",
        pgbench: "postgresql-contrib",
        pgbouncer: "pgbouncer",
        libpq: "libpq-devel",
        mariadb: &["mariadb-server"],
        libmariadb: &["mariadb-connector-c-devel", "pkgconf-pkg-config"],
    },
    Manager {
        program: "pacman",
        install: "sudo pacman -S --needed",
        postgres: "postgresql",
        pgbench: "postgresql",
        pgbouncer: "pgbouncer",
        libpq: "postgresql-libs",
        mariadb: &["mariadb"],
        libmariadb: &["mariadb-libs", "pkgconf"],
    },
    Manager {
        program: "zypper",
        install: "sudo zypper install",
        postgres: "postgresql-server",
        pgbench: "postgresql-contrib",
        pgbouncer: "pgbouncer",
        libpq: "postgresql-devel",
        mariadb: &["mariadb"],
        libmariadb: &["libmariadb-devel", "pkg-config"],
    },
    Manager {
        program: "apk",
        install: "sudo apk add",
        postgres: "postgresql",
        pgbench: "postgresql-contrib",
        pgbouncer: "pgbouncer",
        libpq: "libpq-dev",
        mariadb: &["mariadb"],
        libmariadb: &["mariadb-connector-c-dev", "pkgconf"],
    },
    Manager {
        program: "brew",
        install: "brew install",
        postgres: "postgresql@17",
        pgbench: "postgresql@17",
        pgbouncer: "pgbouncer",
        libpq: "postgresql@17",
        mariadb: &["mariadb"],
        libmariadb: &["mariadb", "pkgconf"],
    },
];

/// Returns the line for each package manager of this machine, or all of them if it has none that is known.
pub(super) fn lines(needs: &[Need]) -> Vec<String> {
    let here: Vec<String> =
        MANAGERS.iter().filter(|manager| is_on_path(manager.program)).map(|manager| manager.line(needs)).collect();
    if here.is_empty() { MANAGERS.iter().map(|manager| manager.line(needs)).collect() } else { here }
}

/// Returns whether one of the folders of `PATH` has this program.
pub(super) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

impl Manager {
    fn line(&self, needs: &[Need]) -> String {
        let mut line = self.install.to_owned();
        let mut packages: Vec<&str> = needs.iter().flat_map(|need| self.packages(need)).copied().collect();
        packages.sort_unstable();
        packages.dedup();
        for package in packages {
            line.push(' ');
            line.push_str(package);
        }
        line
    }

    fn packages(&self, need: &Need) -> &[&'static str] {
        match need {
            Need::Postgres => slice::from_ref(&self.postgres),
            Need::Pgbench => slice::from_ref(&self.pgbench),
            Need::Pgbouncer => slice::from_ref(&self.pgbouncer),
            Need::Libpq => slice::from_ref(&self.libpq),
            Need::Mariadb => self.mariadb,
            Need::Libmariadb => self.libmariadb,
            Need::Valgrind => &["valgrind"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_named_once() {
        let needs = [Need::Postgres, Need::Pgbench, Need::Libpq, Need::Mariadb, Need::Libmariadb];
        let lines: Vec<String> = MANAGERS.iter().map(|manager| manager.line(&needs[..3])).collect();
        assert!(lines[0].ends_with("--no-install-recommends libpq-dev postgresql"), "{}", lines[0]);
        assert_eq!(lines[1], "sudo dnf install libpq-devel postgresql-contrib postgresql-server");
        assert_eq!(lines.last().map(String::as_str), Some("brew install postgresql@17"));
        let lines: Vec<String> = MANAGERS.iter().map(|manager| manager.line(&needs)).collect();
        assert_eq!(lines.last().map(String::as_str), Some("brew install mariadb pkgconf postgresql@17"));
    }
}
