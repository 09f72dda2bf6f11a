//! Commits that fail.

use diesel_lockset::LockError;

use super::{Arena, Driver, account, free, nothing, verbs::RunAdvisoryLock};
use crate::support::driver::Session;

/// The text that commits and releases the lock is given up at its first statement.
#[test]
fn a_failed_commit_releases_the_lock() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE later (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let twice = "INSERT INTO later VALUES (1), (1)";
    let failed =
        account(1).hold(one.conn(), |conn| Ok::<_, LockError>(Driver::execute_on(conn, twice).map(drop)?)).unwrap_err();
    assert!(matches!(failed, LockError::Query(_)), "{failed:?}");
    assert!(free(&mut two, account(1)));
    account(1).hold(one.conn(), nothing).unwrap();
    assert!(free(&mut two, account(1)));
    assert_eq!(arena.number("SELECT count(*) FROM later"), 0);
}
