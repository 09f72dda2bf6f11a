//! Which servers there are, read from a variable: plain text, no IO.

use anyhow::{Context as _, bail};

use crate::server::{mariadb, postgres};

/// The variable that names servers which are running already.
pub(super) const VARIABLE: &str = "DIESEL_LOCKSET_SERVERS";

/// Servers for which the same tests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Postgres,
    Mysql,
    /// Several nodes of Galera, which have tests of their own.
    Cluster,
}

impl Family {
    /// Those of which `cargo xtask test` starts a server.
    pub(super) const STARTED: [Self; 2] = [Self::Postgres, Self::Mysql];

    fn of(url: &str) -> Option<Self> {
        match url.split_once("://")?.0 {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" if url.contains('|') => Some(Self::Cluster),
            "mysql" => Some(Self::Mysql),
            _ => None,
        }
    }

    /// Returns the test programs that have tests for it.
    pub(super) const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Postgres | Self::Mysql => &["suite", "faults", "attack"],
            Self::Cluster => &["clusters"],
        }
    }

    /// Returns what the names of its tests begin with.
    pub(super) const fn test_prefix(self) -> &'static str {
        match self {
            Self::Postgres => "postgres::",
            Self::Mysql => "mysql::",
            Self::Cluster => "",
        }
    }

    /// Returns the variable by which the tests are told their server.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => postgres::Purpose::Tests.variable(),
            Self::Mysql => mariadb::Purpose::Tests.variable(),
            Self::Cluster => "GALERA_DATABASE_URLS",
        }
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) family: Family,
    /// `None` for the one that `cargo xtask test` would use without `--matrix`.
    pub(super) url: Option<String>,
}

impl Server {
    /// Returns the server that is asked for the version: of a cluster its first node.
    pub(super) fn one(&self) -> Self {
        let Self { name, family, url } = self;
        let url = url.as_ref().map(|url| url.split('|').next().unwrap_or(url).to_owned());
        let family = if *family == Family::Cluster { Family::Mysql } else { *family };
        Self { name: name.clone(), family, url }
    }
}

/// Reads `name=url` pairs, separated by commas or white space; `name=url|url` for a cluster.
pub(super) fn parse(text: &str) -> anyhow::Result<Vec<Server>> {
    let mut servers: Vec<Server> = Vec::new();
    for pair in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|pair| !pair.is_empty()) {
        let (name, url) = pair.split_once('=').with_context(|| format!("`{pair}` is not name=url"))?;
        // The name becomes that of a file.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(is_plain) {
            bail!("`{name}` is no name for a server: letters, digits, and `.`, `-`, `_` only");
        }
        // The URL is not repeated: a password may be in it.
        let family = Family::of(url)
            .with_context(|| format!("the URL of {name} begins neither with `postgres://` nor with `mysql://`"))?;
        if servers.iter().any(|server| server.name == name) {
            bail!("two servers are called {name}");
        }
        servers.push(Server { name: name.to_owned(), family, url: Some(url.to_owned()) });
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, family: Family, url: &str) -> Server {
        Server { name: name.to_owned(), family, url: Some(url.to_owned()) }
    }

    #[test]
    fn pairs_are_separated_by_commas_or_white_space() -> anyhow::Result<()> {
        let expected = [
            server("mysql-9.7", Family::Mysql, "mysql://root@127.0.0.1:3306/test?a=b"),
            server("pg17", Family::Postgres, "postgres://me:p=w@db/postgres"),
            server("pg18", Family::Postgres, "postgresql:///postgres?host=/run"),
        ];
        let [first, second, third] = [
            "mysql-9.7=mysql://root@127.0.0.1:3306/test?a=b",
            "pg17=postgres://me:p=w@db/postgres",
            "pg18=postgresql:///postgres?host=/run",
        ];
        assert_eq!(parse(&format!("{first},{second},{third}"))?, expected);
        assert_eq!(parse(&format!("  {first} ,\n{second}\t{third},"))?, expected);
        assert_eq!(parse(" , ")?, []);
        Ok(())
    }

    #[test]
    fn several_urls_are_one_cluster_whose_first_node_tells_the_version() -> anyhow::Result<()> {
        let (one, two) = ("mysql://root@h:1/test", "mysql://root@h:2/test");
        let cluster = server("galera", Family::Cluster, &format!("{one}|{two}"));
        assert_eq!(cluster.one(), server("galera", Family::Mysql, one));
        assert_eq!(parse(&format!("galera={one}|{two}"))?, [cluster]);
        assert_eq!(Family::Cluster.programs(), ["clusters"]);
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_named_and_no_password_with_it() {
        for (text, expected) in [
            ("pg17", "`pg17` is not name=url"),
            ("=mysql://h/d", "`` is no name for a server: letters, digits, and `.`, `-`, `_` only"),
            ("a/b=mysql://h/d", "`a/b` is no name for a server: letters, digits, and `.`, `-`, `_` only"),
            ("x=oracle://me:secret@h", "the URL of x begins neither with `postgres://` nor with `mysql://`"),
            ("x=localhost", "the URL of x begins neither with `postgres://` nor with `mysql://`"),
            ("x=mysql://a/b x=mysql://c/d", "two servers are called x"),
        ] {
            assert_eq!(parse(text).err().map(|error| error.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn each_family_has_its_tests_and_its_variable() {
        let said = Family::STARTED.map(|family| (family.test_prefix(), family.variable()));
        assert_eq!(said, [("postgres::", "PG_DATABASE_URL"), ("mysql::", "MYSQL_DATABASE_URL")]);
    }
}
