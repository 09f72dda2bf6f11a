//! `LockTransaction` on PostgreSQL: its isolation levels by name, and what an aborted transaction makes of `Ok`.

use diesel::{dsl::sql, prelude::*, sql_types::Text};
use diesel_lockset::{Isolation, LockError, LockTransaction, RunLockTransaction};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

const SHOW: &str = "SELECT current_setting('transaction_isolation')";

/// O04.
#[test]
fn the_isolation_level_is_the_one_that_was_asked_for_and_no_longer_than_that() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.execute("SET default_transaction_isolation = 'repeatable read'").unwrap();
    for (level, name) in [
        (Some(Isolation::ReadCommitted), "read committed"),
        (Some(Isolation::RepeatableRead), "repeatable read"),
        (Some(Isolation::Serializable), "serializable"),
        (None, "repeatable read"),
    ] {
        let transaction = match level {
            Some(level) => LockTransaction::new().isolation(level),
            None => LockTransaction::new(),
        };
        let shown: Result<String, LockError> =
            transaction.run(session.conn(), |conn| Ok(sql::<Text>(SHOW).get_result(conn)?));
        assert_eq!(shown.unwrap(), name, "{level:?}");
    }
    assert_eq!(sql::<Text>(SHOW).get_result::<String>(session.conn()).unwrap(), "repeatable read");
}

/// O10, P06.
#[test]
fn ok_after_a_failed_statement_is_not_ok() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let mut tries = 0;
    let outcome = LockTransaction::new().run(session.conn(), |conn| {
        tries += 1;
        diesel::sql_query("UPDATE accounts SET v = 1 WHERE id = 1").execute(conn)?;
        let _ = diesel::sql_query("SELECT 1 / 0").execute(conn);
        Ok::<_, LockError>(())
    });
    assert!(matches!(outcome, Err(LockError::Aborted)), "{outcome:?}");
    assert_eq!((tries, arena.number("SELECT v FROM accounts WHERE id = 1")), (1, 0));
    session.begin().unwrap();
    session.commit().unwrap();
}
