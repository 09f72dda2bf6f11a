//! Migrations over connections of diesel-async: each is run once, however many tasks start at once, on either kind of runtime.

use diesel_async::AsyncConnection;
use diesel_lockset::nonblocking::run_pending_migrations_locked;
use diesel_migrations::FileBasedMigrations;
use tokio::{runtime::Builder, task::JoinSet};

use super::{Arena, AsyncConn};

/// Two migrations, the second of which fails if the first one has run twice.
fn migrations() -> (tempfile::TempDir, FileBasedMigrations) {
    let folder = tempfile::tempdir().unwrap();
    let scripts = [
        ("2026-01-01-000001_made", "CREATE TABLE made (n int)"),
        ("2026-01-01-000002_filled", "INSERT INTO made VALUES (1)"),
    ];
    for (name, up) in scripts {
        let migration = folder.path().join(name);
        std::fs::create_dir(&migration).unwrap();
        std::fs::write(migration.join("up.sql"), up).unwrap();
        std::fs::write(migration.join("down.sql"), "").unwrap();
    }
    let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
    (folder, migrations)
}

#[test]
fn each_migration_is_run_once_however_many_tasks_start_at_once() {
    for runtime in [&mut Builder::new_current_thread(), Builder::new_multi_thread().worker_threads(2)] {
        let arena = Arena::new();
        let (_folder, migrations) = migrations();
        let ran = runtime.enable_all().build().unwrap().block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..4 {
                let (url, migrations) = (arena.url().to_owned(), migrations.clone());
                tasks.spawn(async move {
                    let conn = AsyncConn::establish(&url).await.unwrap();
                    run_pending_migrations_locked(conn, migrations).await.unwrap().len()
                });
            }
            tasks.join_all().await
        });
        assert_eq!(ran.iter().sum::<usize>(), 2, "{ran:?}");
        assert_eq!(arena.number("SELECT count(*) FROM made"), 1);
    }
}
