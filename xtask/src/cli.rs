//! The words of the command line, and which module each command goes to.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Sets up throw-away database servers and runs the tests and the demo on them.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every test: unit, integration and documentation tests, and the examples.
    ///
    /// The tests work on seven throw-away servers. Four are PostgreSQL: the main one (PG_DATABASE_URL), one that speaks
    /// German (PG_GERMAN_DATABASE_URL), one that speaks Japanese (PG_JAPANESE_DATABASE_URL), and one that some tests
    /// crash (PG_CRASH_DATABASE_URL). Three are MariaDB, and what is given in their place may as well be
    /// MySQL: the main one (MYSQL_DATABASE_URL), one that a test crashes (MYSQL_CRASH_DATABASE_URL), and one that runs with
    /// innodb_rollback_on_timeout (MYSQL_ROLLBACK_DATABASE_URL). For each of these variables that is set already, no server
    /// is started. The tests count deadlocks in the log of a MariaDB, through the server: one that is given needs
    /// log_error set to a file that everybody may read, and no secure_file_priv.
    Test(TestOptions),
    /// Run the main job: many sessions that lock the same few rows.
    Demo(DemoOptions),
    /// Measure, and write what came out into the folder `benches`.
    Bench(BenchOptions),
    /// Start the servers of `test`, print how to reach them, and stop them on Ctrl-C.
    Serve(ServerOptions),
    /// Install what the tests and the demo need, and stop there.
    Install(ServerOptions),
}

#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    #[command(flatten)]
    pub(crate) servers: ServerOptions,
    /// Run the tests on every server of DIESEL_LOCKSET_SERVERS as well, and print a table.
    ///
    /// The variable has pairs such as mysql-9.7=mysql://root@127.0.0.1:3306/test or
    /// pg-17=postgres://postgres@127.0.0.1/postgres, separated by commas or spaces. Each server gets the tests of `suite`,
    /// `faults` and `attack` that are for its kind (`mysql::`, `postgres::`), as far as the filter picks them out; so do the
    /// PostgreSQL and the MariaDB that are used without this option. The variables of further servers count as ever. The URLs of
    /// several nodes, galera=mysql://root@node1/test|mysql://root@node2/test, are one cluster: it gets the tests of
    /// `clusters`, by the variable GALERA_DATABASE_URLS.
    #[arg(long)]
    pub(crate) matrix: bool,
    /// Seconds that the test program `attack` works on each kind of server (it has its own default).
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<f64>,
    /// The seed from which `attack` draws its operations; it prints its seed when it fails.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// A filter and options for the test programs, as after `cargo test --`.
    #[arg(last = true, value_name = "FILTER AND OPTIONS")]
    pub(crate) passed_on: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// The kind of database to run it on [default: postgres, or sqlite if there is no PostgreSQL and none can be installed].
    #[arg(long, value_enum)]
    pub(crate) backend: Option<Backend>,
    #[command(flatten)]
    pub(crate) servers: ServerOptions,
    /// How long each way of locking runs (the demo has its own default).
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u32>,
    /// How many sessions work at the same time (the demo has its own default).
    #[arg(long, value_name = "N")]
    pub(crate) sessions: Option<u32>,
    /// End standard output with one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Postgres,
    /// MySQL or MariaDB: the one that is given, else a throw-away MariaDB.
    Mysql,
    /// SQLite, which needs no server.
    Sqlite,
}

impl DemoOptions {
    /// The kind of database, PostgreSQL unless another one is chosen.
    pub(crate) fn backend(&self) -> Backend {
        self.backend.unwrap_or(Backend::Postgres)
    }
}

/// Which servers to use.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    pub(crate) postgres: PostgresOptions,
    #[command(flatten)]
    pub(crate) mariadb: MariadbOptions,
    /// Say what is missing instead of installing it.
    #[arg(long)]
    pub(crate) no_install: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchOptions {
    #[arg(value_enum)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) servers: ServerOptions,
    /// Options of the bench itself, behind those of the servers: `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) passed_on: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// Picks and claims per second with 1 to 32 workers, beside pgbench with the same SQL.
    Pick,
    /// Round trips of every verb, on PostgreSQL and on MariaDB or MySQL; fails if one is not the pinned one.
    Trips,
    /// Instructions of the client, beside Diesel by hand, on PostgreSQL and on MariaDB or MySQL.
    Work,
    /// Locks and claims per second, beside Diesel by hand, bare SQL, sqlx, SeaORM, Django and a queue, on PostgreSQL.
    Rivals,
}

/// Which PostgreSQL to use.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PostgresOptions {
    /// Use this server as the main one instead of a throw-away one; PG_DATABASE_URL does the same.
    #[arg(long, value_name = "URL")]
    pub(crate) pg_url: Option<String>,
    /// Take initdb, postgres and pgbench from this folder and nowhere else.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) pg_bin: Option<PathBuf>,
}

/// Which MariaDB or MySQL to use.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MariadbOptions {
    /// Use this MariaDB or MySQL instead of a throw-away MariaDB; MYSQL_DATABASE_URL does the same.
    #[arg(long, value_name = "URL")]
    pub(crate) mysql_url: Option<String>,
    /// Take mariadbd and mariadb-install-db from this folder and those beside it, and from nowhere else.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) mysql_bin: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_dashes_goes_to_the_test_programs() {
        let cli = Cli::try_parse_from(["xtask", "test", "--no-install", "--", "lock_set", "--nocapture"])
            .expect("a valid command line");
        let Command::Test(options) = cli.command else { panic!("not the test command") };
        assert!(options.servers.no_install);
        assert_eq!(options.passed_on, ["lock_set", "--nocapture"]);
        assert!(!options.matrix && options.seconds.is_none() && options.seed.is_none());
    }

    #[test]
    fn a_bench_is_named_and_has_options_of_its_own() {
        let cli = Cli::try_parse_from(["xtask", "bench", "pick", "--no-install", "--json", "--seconds", "0.5"]);
        let Command::Bench(options) = cli.expect("a valid command line").command else { panic!("not a bench") };
        assert!(options.which == Which::Pick && options.servers.no_install);
        assert_eq!(options.passed_on, ["--json", "--seconds", "0.5"]);
        assert!(Cli::try_parse_from(["xtask", "bench"]).is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
