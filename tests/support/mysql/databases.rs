//! The databases of the tests. There is no template to copy on these servers: each runs the migrations.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use diesel::{
    MysqlConnection, QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{BigInt, Text},
};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::{MysqlFamily, SESSIONS, deadlocks, waits};
use crate::support::{
    database_name::DatabaseName,
    server::{Server, with_database},
};

/// Leftovers of a test may be looked at for this long.
const KEEP: Duration = Duration::from_secs(60 * 60);

/// Compared byte by byte, as the tables of the fixtures are: also what a test makes itself.
const CHARACTERS: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

pub(super) fn create(server: &str, name: &str) -> QueryResult<()> {
    let mut maintenance = MysqlFamily::connect(server);
    prepare(server, &mut maintenance);
    maintenance.batch_execute(&format!("CREATE DATABASE {name} {CHARACTERS}"))?;
    let source = migrations();
    let mut conn = MysqlFamily::connect(&with_database(server, name));
    conn.run_pending_migrations(source).expect("the migrations run");
    Ok(())
}

/// Once for each server.
fn prepare(server: &str, maintenance: &mut MysqlConnection) {
    static PREPARED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut prepared = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
    if prepared.insert(server.to_owned()) {
        deadlocks::listen(maintenance);
        sweep(maintenance);
    }
}

/// Ends whoever is still in it: a transaction that has read a table would keep it from being dropped.
pub(super) fn drop(server: &str, name: &str) -> QueryResult<()> {
    let mut maintenance = MysqlFamily::connect(server);
    for session in sessions(&mut maintenance, name)? {
        waits::terminate(&mut maintenance, session);
    }
    maintenance.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
}

pub(crate) fn migrations() -> FileBasedMigrations {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/mysql");
    FileBasedMigrations::from_path(folder).expect("the migrations are where they should be")
}

/// Drops what earlier runs left behind, old enough that nobody can still want it, and without anybody inside.
fn sweep(maintenance: &mut MysqlConnection) {
    let names =
        "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata WHERE schema_name LIKE 'lockset\\_%'";
    let names: Vec<String> = sql::<Text>(names).load(maintenance).expect("the names of the databases");
    for name in names.iter().filter_map(|name| DatabaseName::parse(name)).filter(|name| name.age() > KEEP) {
        let name = name.to_string();
        if sessions(maintenance, &name).is_ok_and(|sessions| sessions.is_empty()) {
            if let Err(error) = maintenance.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")) {
                eprintln!("left over: database {name}: {error}");
            }
        }
    }
}

fn sessions(maintenance: &mut MysqlConnection, name: &str) -> QueryResult<Vec<i32>> {
    let sessions = format!("SELECT CAST(id AS SIGNED) FROM {SESSIONS} WHERE db = '{name}'");
    let sessions: Vec<i64> = sql::<BigInt>(&sessions).load(maintenance)?;
    Ok(sessions.into_iter().filter_map(|session| session.try_into().ok()).collect())
}
