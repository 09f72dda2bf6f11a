//! Naming the holders is a courtesy: it costs neither the transaction nor more time than was given.

use std::time::{Duration, Instant};

use diesel::{RunQueryDsl, sql_query};
use diesel_lockset::{LockError, LockSet, error::Holder};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Account, server::with_database},
};

fn settings(s: &mut Driver) -> [i64; 3] {
    let limit = "SELECT /*!80001 @@max_execution_time */ /*M! round(@@max_statement_time * 1000) */";
    [limit, "SELECT @@innodb_lock_wait_timeout", "SELECT @@lock_wait_timeout"].map(|limit| s.number(limit).unwrap())
}

fn holders(error: &LockError) -> Vec<i32> {
    let holders = match error {
        LockError::Contended { holders, .. } => holders,
        LockError::TimedOut { attempt: Some(attempt), .. } => attempt.holders(),
        error => panic!("{error:?}"),
    };
    holders.iter().map(Holder::session).collect()
}

/// The limit of the question, and what a busy machine may take.
const MORE: Duration = Duration::from_millis(250 + 5_000);

/// On MariaDB each question takes a tenth of a second, and is asked again if nobody is named.
#[test]
fn the_question_does_not_outlast_the_timeout() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = play.session("holder");
    holder.run("locks", |s| s.begin().and_then(|()| s.execute("UPDATE accounts SET v = 7 WHERE id = 1"))).unwrap();
    let mut s = Driver::connect(arena.url());
    let before = settings(&mut s);
    for timeout in [Duration::from_millis(50), Duration::from_millis(300)] {
        s.begin().unwrap();
        let began = Instant::now();
        let error = s.lock_set(LockSet::new().id::<Account>(1).timeout(timeout).name_holders()).unwrap_err();
        let took = began.elapsed();
        assert!(matches!(error, LockError::TimedOut { .. }) && !error.transaction_is_lost(), "{error:?}");
        assert_eq!(holders(&error), [holder.pid()], "{error:?}");
        assert!(took < timeout + MORE, "{took:?}");
        assert_eq!(settings(&mut s), before);
        s.commit().unwrap();
    }
}

/// A user who sees neither `performance_schema` nor, on MariaDB, the transactions and sessions of others: with nobody to be
/// named, MariaDB is not asked again and again for longer than there is time.
#[test]
fn whoever_may_not_be_told_gets_the_error_all_the_same() {
    let arena = Arena::new();
    let user = format!("p{:x}", std::process::id());
    let mut admin = arena.admin();
    for statement in [
        format!("CREATE USER '{user}'@'127.0.0.1'"),
        format!("GRANT SELECT, UPDATE, INSERT, DELETE ON {}.* TO '{user}'@'127.0.0.1'", arena.name()),
    ] {
        sql_query(statement).execute(&mut admin).unwrap();
    }
    let play = Play::<Driver>::new(&arena);
    let holder = play.session("holder");
    holder.run("locks", |s| s.begin().and_then(|()| s.execute("UPDATE accounts SET v = 7 WHERE id = 1"))).unwrap();
    let url = arena.url().replace("root@", &format!("{user}@"));
    assert_ne!(url, arena.url());
    for timeout in [None, Some(Duration::from_millis(200))] {
        let mut s = Driver::connect(&with_database(&url, arena.name()));
        let before = settings(&mut s);
        s.begin().unwrap();
        s.execute("UPDATE accounts SET v = 8 WHERE id = 2").unwrap();
        let set = LockSet::new().id::<Account>(1).name_holders();
        let began = Instant::now();
        let error = match timeout {
            None => s.lock_set(set.no_wait()).unwrap_err(),
            Some(timeout) => s.lock_set(set.timeout(timeout)).unwrap_err(),
        };
        let took = began.elapsed();
        assert!(error.is_contended() && !error.transaction_is_lost(), "{error:?}");
        assert_eq!(holders(&error), [0; 0], "{error:?}");
        assert!(took < timeout.unwrap_or_default() + MORE, "{took:?}");
        assert_eq!(settings(&mut s), before);
        s.commit().unwrap();
    }
    sql_query(format!("DROP USER '{user}'@'127.0.0.1'")).execute(&mut admin).unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 2"), 8);
}
