//! Where PostgreSQL's programs lie: most packages keep the server's out of PATH, one folder per version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Folders that hold one folder per version: (parent, how those begin, where the programs are in them).
const VERSIONED: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),                      // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                               // packages of postgresql.org for Fedora, RHEL
    ("/usr/lib", "postgresql", "bin"),                       // openSUSE
    ("/usr/libexec", "postgresql", ""),                      // Alpine
    ("/opt/homebrew/opt", "postgresql", "bin"),              // Homebrew, Apple silicon
    ("/usr/local/opt", "postgresql", "bin"),                 // Homebrew, Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"), // Homebrew, Linux
    ("/opt/local/lib", "postgresql", "bin"),                 // MacPorts
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/usr/local", "pgsql", "bin"), // built from source
];

/// The folders to look into, best first.
#[derive(Debug)]
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// Looks into `only` if it is given, else into PATH, `pg_config --bindir`, and the usual places, newest version first.
    pub(crate) fn look(only: Option<&Path>) -> Self {
        if let Some(only) = only {
            // The server starts in another folder, where a relative path would lead astray.
            return Self { folders: vec![std::path::absolute(only).unwrap_or_else(|_| only.to_owned())] };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        folders.extend(pg_config(Path::new("pg_config"), "--bindir"));
        let mut versioned: Vec<(u32, PathBuf)> = VERSIONED.iter().flat_map(versions).collect();
        versioned.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        folders.extend(versioned.into_iter().map(|(_, folder)| folder));
        Self { folders }
    }

    /// Returns the first folder that has all it takes to make and run a server.
    pub(crate) fn server_folder(&self) -> Option<&Path> {
        let complete = |folder: &&PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
        self.folders.iter().find(complete).map(PathBuf::as_path)
    }

    /// Returns the path of a program of the server.
    pub(crate) fn server_program(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.server_folder().context("the programs of PostgreSQL are gone")?.join(name))
    }

    /// Returns pgbench: the one of the server's own version if there is one.
    pub(crate) fn pgbench(&self) -> Option<PathBuf> {
        self.program("pgbench")
    }

    /// Returns the folder of libpq, by the `pg_config` that belongs to the server.
    pub(crate) fn folder_of_libpq(&self) -> Option<PathBuf> {
        pg_config(&self.program("pg_config")?, "--libdir")
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let folders = self.server_folder().into_iter().chain(self.folders.iter().map(PathBuf::as_path));
        folders.map(|folder| folder.join(name)).find(|program| program.is_file())
    }
}

fn pg_config(program: &Path, what: &str) -> Option<PathBuf> {
    let output = Command::new(program).arg(what).output().ok().filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

fn versions(&(parent, prefix, programs): &(&str, &str, &str)) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let folders = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let version = version_in(entry.file_name().to_str()?.strip_prefix(prefix)?)?;
        Some((version, entry.path().join(programs)))
    });
    folders.collect()
}

/// Returns the major version from what a folder's name has after its prefix: `17`, `@17`, `-16`, `9.6`, or nothing at
/// all for an unversioned folder, which comes last.
fn version_in(rest: &str) -> Option<u32> {
    let number = rest.trim_start_matches(['@', '-']);
    if number.is_empty() {
        return Some(0);
    }
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(folder: &Path, names: &[&str]) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        names.iter().try_for_each(|name| Ok(std::fs::write(folder.join(name), "")?))
    }

    #[test]
    fn versions_are_read_from_folder_names() {
        for (rest, version) in [("15", Some(15)), ("@17", Some(17)), ("-16", Some(16)), ("9.6", Some(9)), ("", Some(0))]
        {
            assert_eq!(version_in(rest), version, "{rest}");
        }
        assert_eq!(version_in("latest"), None);
    }

    #[test]
    fn every_version_is_found() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        for version in ["9.6", "15", "10", "common"] {
            touch(&root.path().join(version).join("bin"), &[])?;
        }
        let parent = root.path().to_str().context("plain path")?;
        let mut found: Vec<u32> = versions(&(parent, "", "bin")).into_iter().map(|(version, _)| version).collect();
        found.sort_unstable();
        assert_eq!(found, [9, 10, 15]);
        Ok(())
    }

    #[test]
    fn a_folder_without_initdb_is_no_server_but_may_have_pgbench() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let (client, server) = (root.path().join("client"), root.path().join("server"));
        touch(&client, &["postgres", "pgbench"])?;
        touch(&server, &["postgres", "initdb"])?;
        let tools = Tools { folders: vec![client.clone(), server.clone()] };
        assert_eq!(tools.server_folder(), Some(server.as_path()));
        assert_eq!(tools.pgbench(), Some(client.join("pgbench")));

        touch(&server, &["pgbench"])?;
        assert_eq!(tools.pgbench(), Some(server.join("pgbench")), "the server's own comes first");
        Ok(())
    }

    #[test]
    fn an_empty_folder_has_nothing() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let tools = Tools::look(Some(root.path()));
        assert!(tools.server_folder().is_none() && tools.pgbench().is_none());
        assert!(tools.server_program("initdb").is_err());
        Ok(())
    }
}
