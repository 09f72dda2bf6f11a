//! The time that a call may take: in milliseconds, and the session's settings are as before.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use super::{
    Driver,
    stock::{Item, arena_of, stock},
};
use crate::support::driver::Session;

/// The server's limits on a statement and on a wait, as this session has them, in milliseconds and seconds.
fn settings(session: &mut Driver) -> (i64, i64) {
    let limit = "SELECT /*!80001 @@max_execution_time */ /*M! round(@@max_statement_time * 1000) */";
    (session.number(limit).unwrap(), session.number("SELECT @@innodb_lock_wait_timeout").unwrap())
}

/// G02, G04, G06, G11.
#[test]
fn less_than_a_second_is_less_than_a_second_and_settings_are_put_back() {
    let arena = arena_of(10);
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().id::<Item>(1)).unwrap();
    for own in [0, 20_000] {
        session
            .execute(&format!("SET /*!80001 max_execution_time = {own} */ /*M! max_statement_time = {own} / 1000 */"))
            .unwrap();
        let before = settings(&mut session);
        assert_eq!(before.0, own);
        session.begin().unwrap();
        session.lock_set(LockSet::new().id::<Item>(2).timeout(Duration::from_millis(300))).unwrap();
        assert_eq!(settings(&mut session), before, "after success");
        let began = Instant::now();
        let error = session.lock_set(LockSet::new().id::<Item>(1).timeout(Duration::from_millis(300))).unwrap_err();
        assert!((300..900).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
        assert!(!error.transaction_is_lost(), "only the statement is undone");
        assert_eq!(settings(&mut session), before, "after an error");
        let query =
            stock::table.filter(stock::id.eq(1)).for_update_of(stock::table).timeout(Duration::from_millis(300));
        let error = RunLockQuery::load::<Item, _>(query, session.conn()).unwrap_err();
        assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
        assert_eq!(settings(&mut session), before, "after a query");
        assert_eq!(session.lock_set(LockSet::new().id::<Item>(3)).unwrap().rows::<Item>().len(), 1, "it goes on");
        session.commit().unwrap();
        assert_eq!(settings(&mut session), before, "after the commit");
    }
}

/// G06.
#[test]
fn the_shortest_timeout_is_no_timeout_of_none() {
    let arena = arena_of(10);
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().id::<Item>(1)).unwrap();
    session.begin().unwrap();
    let began = Instant::now();
    let error = session.lock_set(LockSet::new().id::<Item>(1).timeout(Duration::from_nanos(1))).unwrap_err();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
