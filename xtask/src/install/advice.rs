//! The one line to run on each kind of system.

use super::Need;

/// A package manager, and the packages that bring each thing.
struct Manager {
    program: &'static str,
    install: &'static str,
    server: &'static str,
    pgbench: &'static str,
    libpq: &'static str,
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        install: "sudo apt-get update && sudo apt-get install --no-install-recommends",
        server: super::apt::SERVER,
        pgbench: super::apt::SERVER,
        libpq: super::apt::LIBPQ,
    },
    Manager {
        program: "dnf",
        install: "sudo dnf install",
        server: "postgresql-server",
        pgbench: "postgresql-contrib",
        libpq: "libpq-devel",
    },
    Manager {
        program: "pacman",
        install: "sudo pacman -S --needed",
        server: "postgresql",
        pgbench: "postgresql",
        libpq: "postgresql-libs",
    },
    Manager {
        program: "zypper",
        install: "sudo zypper install",
        server: "postgresql-server",
        pgbench: "postgresql-contrib",
        libpq: "postgresql-devel",
    },
    Manager {
        program: "apk",
        install: "sudo apk add",
        server: "postgresql",
        pgbench: "postgresql-contrib",
        libpq: "libpq-dev",
    },
    Manager {
        program: "brew",
        install: "brew install",
        server: "postgresql@17",
        pgbench: "postgresql@17",
        libpq: "postgresql@17",
    },
];

/// Returns the line for each package manager of this machine, or all of them if it has none that is known.
pub(super) fn lines(needs: &[Need]) -> Vec<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here =
        |manager: &&Manager| std::env::split_paths(&path).any(|folder| folder.join(manager.program).is_file());
    let here: Vec<String> = MANAGERS.iter().filter(is_here).map(|manager| manager.line(needs)).collect();
    if here.is_empty() { MANAGERS.iter().map(|manager| manager.line(needs)).collect() } else { here }
}

impl Manager {
    fn line(&self, needs: &[Need]) -> String {
        let mut line = self.install.to_owned();
        let mut packages: Vec<&str> = needs.iter().map(|need| self.package(*need)).collect();
        packages.sort_unstable();
        packages.dedup();
        for package in packages {
            line.push(' ');
            line.push_str(package);
        }
        line
    }

    fn package(&self, need: Need) -> &'static str {
        match need {
            Need::Server => self.server,
            Need::Pgbench => self.pgbench,
            Need::Libpq => self.libpq,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_named_once() {
        let lines: Vec<String> =
            MANAGERS.iter().map(|manager| manager.line(&[Need::Server, Need::Pgbench, Need::Libpq])).collect();
        assert!(lines[0].ends_with("--no-install-recommends libpq-dev postgresql"), "{}", lines[0]);
        assert_eq!(lines[1], "sudo dnf install libpq-devel postgresql-contrib postgresql-server");
        assert_eq!(lines.last().map(String::as_str), Some("brew install postgresql@17"));
    }
}
