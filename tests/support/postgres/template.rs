//! The migrated database that the database of every test is copied from.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use diesel::{PgConnection, QueryResult, RunQueryDsl, connection::SimpleConnection, dsl::sql, sql_types::Text};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::{Postgres, urls};
use crate::support::{
    database_name::DatabaseName,
    server::{Server, with_database},
};

/// Only one process at a time builds a template or sweeps.
const HOUSEKEEPING: i64 = 0x6c6f_636b_7365_7400;

/// Leftovers of a test may be looked at for this long.
const KEEP_TEST: Duration = Duration::from_secs(60 * 60);

/// Templates of other migrations may still be in use by another checkout.
const KEEP_TEMPLATE: Duration = Duration::from_secs(24 * 60 * 60);

const READY: &str = "template";
const UNFINISHED: &str = "unfinished_template";

/// The name of the template, which is there when this returns.
pub(crate) fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let mut maintenance = Postgres::connect(&urls::url());
        // Held by the session: released with the connection, also on panic.
        maintenance.batch_execute(&format!("SELECT pg_advisory_lock({HOUSEKEEPING})")).expect("the housekeeping lock");
        let digest = digest(&mut maintenance);
        let ours = databases(&mut maintenance).expect("the names of the databases");
        sweep(&mut maintenance, &ours, digest);
        match ours.iter().find(|name| name.digest() == digest && name.tail() == READY) {
            Some(ready) => ready.to_string(),
            None => build(&mut maintenance, digest),
        }
    })
}

fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres")
}

/// Runs the migrations in an empty database.
pub(super) fn fill(url: &str) {
    let source = FileBasedMigrations::from_path(migrations()).expect("the migrations are where they should be");
    Postgres::connect(url).run_pending_migrations(source).expect("the migrations run");
}

/// Migrated under another name, so that a build that was cut short is never taken for a template.
fn build(maintenance: &mut PgConnection, digest: u64) -> String {
    let unfinished = DatabaseName::new(digest, UNFINISHED).to_string();
    let ready = DatabaseName::new(digest, READY).to_string();
    maintenance
        .batch_execute(&format!("DROP DATABASE IF EXISTS {unfinished}"))
        .and_then(|()| maintenance.batch_execute(&format!("CREATE DATABASE {unfinished} TEMPLATE template0")))
        .unwrap_or_else(|error| panic!("the user of PG_DATABASE_URL must be able to create databases: {error}"));

    fill(&with_database(&urls::url(), &unfinished));

    // A database with somebody in it can be neither renamed nor copied: nobody gets in from here on.
    maintenance
        .batch_execute(&format!("ALTER DATABASE {unfinished} WITH ALLOW_CONNECTIONS false"))
        .and_then(|()| maintenance.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {ready}")))
        .expect("the template gets its name");
    ready
}

/// The databases of this user's test runs in which nobody is.
fn databases(maintenance: &mut PgConnection) -> QueryResult<Vec<DatabaseName>> {
    let names: Vec<String> = sql::<Text>(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'lockset\\_%' \
         AND pg_get_userbyid(datdba) = current_user \
         AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pg_stat_activity.datname = pg_database.datname)",
    )
    .load(maintenance)?;
    Ok(names.iter().filter_map(|name| DatabaseName::parse(name)).collect())
}

/// Drops what earlier runs left behind, old enough that nobody can still want it.
fn sweep(maintenance: &mut PgConnection, ours: &[DatabaseName], digest: u64) {
    for name in ours {
        let outdated = match name.tail() {
            READY => name.digest() != digest && name.age() > KEEP_TEMPLATE,
            _ => name.age() > KEEP_TEST,
        };
        if outdated {
            // Fails when somebody went in meanwhile, and then it is not ours to break.
            if let Err(error) = maintenance.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")) {
                eprintln!("left over: database {name}: {error}");
            }
        }
    }
}

/// Changes when any migration does. Every user has a template of his own: only its owner may copy it.
fn digest(maintenance: &mut PgConnection) -> u64 {
    let user: String = sql::<Text>("SELECT current_user::text").get_result(maintenance).expect("a user");
    let folder = migrations();
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    for file in files_below(&folder) {
        file.strip_prefix(&folder).expect("a file below its folder").hash(&mut hasher);
        fs::read(&file).expect("a readable migration").hash(&mut hasher);
    }
    hasher.finish()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel_migrations::{FileBasedMigrations, MigrationHarness};

    use super::{databases, digest, migrations, name, sweep};
    use crate::support::{
        arena::Arena,
        database_name::DatabaseName,
        postgres::{Postgres, urls},
        server::{Server, with_database},
    };

    #[test]
    fn it_is_made_once() {
        assert_eq!(name(), name());
        assert_eq!(Arena::new().number("SELECT count(*) FROM accounts"), 5);
    }

    #[test]
    fn leftovers_are_swept_unless_they_are_young_or_somebody_is_inside() {
        let young = Arena::new();
        let mut maintenance = young.admin();
        let process = std::process::id().into();
        let [old, occupied] = ["old", "occupied"].map(|tail| DatabaseName::created_at(1, process, tail));
        for name in [&old, &occupied] {
            maintenance.batch_execute(&format!("CREATE DATABASE {name}")).expect("a leftover");
        }
        let inside = Postgres::connect(&with_database(&urls::url(), &occupied.to_string()));
        let names = databases(&mut maintenance).expect("the names");
        let digest = digest(&mut maintenance);
        sweep(&mut maintenance, &names, digest);

        drop(inside);
        let left = |name: &str| young.number(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
        let counts = [&old, &occupied].map(|name| left(&name.to_string()));
        maintenance.batch_execute(&format!("DROP DATABASE IF EXISTS {occupied}")).expect("nobody is inside");
        assert_eq!(counts, [0, 1]);
        assert_eq!([left(young.name()), left(name())], [1, 1]);
    }

    #[test]
    fn the_migrations_can_be_undone_and_done_again() {
        let arena = Arena::new();
        let mut conn = Postgres::connect(arena.url());
        let source = || FileBasedMigrations::from_path(migrations()).expect("migrations");
        let undone = conn.revert_all_migrations(source()).expect("down.sql works").len();
        assert_eq!(arena.number("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 's1', 's2')"), 1);
        let done = conn.run_pending_migrations(source()).expect("up.sql works").len();
        assert_eq!(undone, done);
    }
}
