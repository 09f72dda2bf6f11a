//! Where MariaDB's programs lie: packages put the server beside those of the administrator, others into folders of
//! their own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where to look besides PATH.
const USUAL: &[&str] = &[
    "/usr/sbin",                                  // Debian, Ubuntu, openSUSE: not in the PATH of everybody
    "/usr/bin",                                   // Alpine, Arch
    "/usr/libexec",                               // Fedora, RHEL
    "/opt/homebrew/opt/mariadb/bin",              // Homebrew, Apple silicon
    "/usr/local/opt/mariadb/bin",                 // Homebrew, Intel
    "/home/linuxbrew/.linuxbrew/opt/mariadb/bin", // Homebrew, Linux
    "/usr/local/mysql/bin",                       // MariaDB's own archives
];

/// The folders beside the server's in which an installation keeps the rest of its programs.
const BESIDE: &[&str] = &["bin", "sbin", "scripts"];

/// The folders to look into, best first.
#[derive(Debug)]
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

/// All it takes to make and run a server.
#[derive(Debug, PartialEq)]
pub(super) struct Programs {
    pub(super) server: PathBuf,
    pub(super) install: PathBuf,
}

impl Tools {
    /// Looks into `only` if it is given, else into PATH and the usual places.
    pub(crate) fn look(only: Option<&Path>) -> Self {
        if let Some(only) = only {
            // The server starts in another folder, where a relative path would lead astray.
            return Self { folders: vec![std::path::absolute(only).unwrap_or_else(|_| only.to_owned())] };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        folders.extend(USUAL.iter().map(PathBuf::from));
        Self { folders }
    }

    /// Tells whether there is a server.
    pub(crate) fn has_server(&self) -> bool {
        self.find().is_some()
    }

    /// Returns the programs of the server.
    pub(super) fn programs(&self) -> anyhow::Result<Programs> {
        self.find().context("the programs of MariaDB are gone")
    }

    fn find(&self) -> Option<Programs> {
        self.folders.iter().find_map(|folder| {
            let server = Some(folder.join("mariadbd")).filter(|server| server.is_file())?;
            let beside = BESIDE.iter().filter_map(|name| Some(folder.parent()?.join(name)));
            let mut places = std::iter::once(folder.clone()).chain(beside);
            let install = places.find_map(|place| {
                let program = place.join("mariadb-install-db");
                program.is_file().then_some(program)
            })?;
            Some(Programs { server, install })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(folder: &Path, names: &[&str]) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        names.iter().try_for_each(|name| Ok(std::fs::write(folder.join(name), "")?))
    }

    #[test]
    fn the_programs_of_one_installation_may_lie_in_two_folders() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let (bin, sbin) = (root.path().join("bin"), root.path().join("sbin"));
        touch(&bin, &["mariadb-install-db"])?;
        touch(&sbin, &["mariadbd"])?;
        let programs = Tools::look(Some(&sbin)).programs()?;
        assert_eq!(programs, Programs { server: sbin.join("mariadbd"), install: bin.join("mariadb-install-db") });
        Ok(())
    }

    #[test]
    fn a_folder_without_both_is_no_server() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let tools = Tools::look(Some(root.path()));
        assert!(!tools.has_server() && tools.programs().is_err());
        touch(root.path(), &["mariadbd"])?;
        assert!(!tools.has_server());
        touch(root.path(), &["mariadb-install-db"])?;
        assert!(tools.has_server());
        Ok(())
    }
}
