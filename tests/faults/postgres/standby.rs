//! On a hot standby an advisory lock would exclude nobody on the primary.

use std::{thread, time::Duration};

use diesel::{Connection, PgConnection, connection::SimpleConnection, result::Error as DieselError};
use diesel_lockset::{
    AdvisoryLock, LockError, LockSet, RunAdvisoryLock, RunLockSet, advisory_locked, run_pending_migrations_locked,
};
use diesel_migrations::FileBasedMigrations;

use crate::support::{
    models::Account,
    postgres::{Postgres, urls},
    server::Server,
};

fn lock() -> AdvisoryLock {
    AdvisoryLock::named(thread::current().name().unwrap_or("standby"))
}

fn refused<T>(name: &str, outcome: Result<T, LockError>) {
    match outcome {
        Err(error @ LockError::Unsupported { .. }) => {
            assert!(error.to_string().contains("standby"), "{name}: {error}");
            assert!(!error.is_retryable() && !error.is_contended() && !error.transaction_is_lost(), "{name}: {error}");
        }
        Err(error) => panic!("{name}: {error:?}"),
        Ok(_) => panic!("{name}: granted"),
    }
}

impl Account {
    #[advisory_locked]
    fn on_a_standby(&self, conn: &mut PgConnection) -> Result<(), LockError> {
        conn.batch_execute("SELECT 1/0").map_err(LockError::from)
    }

    #[advisory_locked(session, timeout = "50ms")]
    fn on_a_standby_in_a_session(&self, conn: &mut PgConnection) -> Result<(), LockError> {
        conn.batch_execute("SELECT 1/0").map_err(LockError::from)
    }
}

#[test]
fn every_form_is_refused() {
    let conn = &mut Postgres::connect(&urls::standby_url());
    const TIME: Duration = Duration::from_millis(50);
    let nothing = |_: &mut PgConnection| Ok::<_, LockError>(());
    refused("hold", lock().hold(conn, nothing));
    refused("try_hold", lock().try_hold(conn, nothing));
    refused("hold with a timeout", lock().timeout(TIME).hold(conn, nothing));
    refused("hold_session", lock().hold_session(conn, nothing));
    refused("acquire", lock().acquire(conn).map(drop));
    refused("try_acquire", lock().try_acquire(conn).map(drop));
    refused("shared", lock().shared().hold(conn, nothing));
    refused("try, shared", lock().shared().try_acquire(conn).map(drop));
    refused("is_held", lock().is_held(conn));
    let ada = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
    refused("attribute", ada.on_a_standby(conn));
    refused("attribute, session", ada.on_a_standby_in_a_session(conn));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/advisory/migrations_at_once");
    let migrated = run_pending_migrations_locked(conn, FileBasedMigrations::from_path(folder).unwrap());
    let error = migrated.unwrap_err();
    assert!(error.to_string().contains("standby"), "{error}");
    conn.transaction(|conn| {
        refused("hold in a transaction", lock().hold(conn, nothing));
        refused("try_hold in a transaction", lock().try_hold(conn, nothing));
        refused("acquire in a transaction", lock().acquire(conn).map(drop));
        refused("for the transaction", lock().acquire_for_transaction(conn));
        refused("try, for the transaction", lock().try_acquire_for_transaction(conn));
        refused("in time, for the transaction", lock().timeout(TIME).acquire_for_transaction(conn));
        refused("shared, for the transaction", lock().shared().acquire_for_transaction(conn));
        refused("set", LockSet::new().advisory(lock()).lock(conn));
        refused("set, no_wait", LockSet::new().advisory(lock()).no_wait().lock(conn));
        refused("set, timeout", LockSet::new().advisory(lock()).id::<Account>(1).timeout(TIME).lock(conn));
        refused("set, holders", LockSet::new().advisory(lock().shared()).name_holders().timeout(TIME).lock(conn));
        // The transaction goes on after all of them.
        conn.batch_execute("SELECT 1").map_err(LockError::from)
    })
    .unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(Postgres::number(conn, locks), Ok::<_, DieselError>(0));
}
