//! The time that a call may take: in milliseconds, and the session's settings are as before.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet};

use super::{
    Driver,
    stock::{Item, arena_of, stock},
    verbs::RunLockQuery,
};
use crate::{
    isolation::Play,
    support::{driver::Session, patience::until},
};

/// The server's limits on a statement and on waits, as this session has them, in milliseconds and seconds.
fn settings(session: &mut Driver) -> [i64; 3] {
    let limit = "SELECT /*!80001 @@max_execution_time */ /*M! round(@@max_statement_time * 1000) */";
    [limit, "SELECT @@innodb_lock_wait_timeout", "SELECT @@lock_wait_timeout"]
        .map(|limit| session.number(limit).unwrap())
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
        assert_eq!(before[0], own);
        session.begin().unwrap();
        session.lock_set(LockSet::new().id::<Item>(2).timeout(Duration::from_millis(300))).unwrap();
        assert_eq!(settings(&mut session), before, "after success");
        let began = Instant::now();
        let error = session.lock_set(LockSet::new().id::<Item>(1).timeout(Duration::from_millis(300))).unwrap_err();
        assert!((300..10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
        assert!(!error.transaction_is_lost(), "only the statement is undone");
        assert_eq!(settings(&mut session), before, "after an error");
        let query =
            stock::table.filter(stock::id.eq(1)).for_update_of(stock::table).timeout(Duration::from_millis(300));
        let error = RunLockQuery::load::<Item>(query, session.conn()).unwrap_err();
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
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// D09, G02.
///
/// The server prepares a statement only when it has got the table, however short the statement's own time is.
#[test]
fn a_table_that_is_about_to_be_altered_is_waited_for_no_longer_than_that() {
    let arena = arena_of(10);
    let play = Play::<Driver>::new(&arena);
    let [reader, owner, session] = ["reader", "owner", "session"].map(|name| play.session(name));
    reader.run("reads", |s| s.begin().and_then(|()| s.execute("SELECT 1 FROM stock"))).unwrap();
    let altering = owner.start("alters", |s| s.execute("ALTER TABLE stock ADD COLUMN more int"));
    let number = owner.pid();
    let waits = format!(
        "SELECT count(*) FROM /*!80022 performance_schema */ /*M! information_schema */ . processlist \
         WHERE id = {number} AND state = 'Waiting for table metadata lock'"
    );
    until(|| (arena.number(&waits) == 1).then_some(())).expect("it waits for the reader");
    let error = session.run("locks", |s| {
        s.begin().unwrap();
        let before = settings(s);
        let outcome = s.lock_set(LockSet::new().id::<Item>(1).timeout(Duration::from_millis(300)));
        assert_eq!(settings(s), before);
        outcome.map(drop).unwrap_err()
    });
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    assert!(!error.transaction_is_lost());
    session.run("rolls back", |s| s.rollback().unwrap());
    reader.run("commits", |s| s.commit().unwrap());
    altering.join().unwrap();
}

/// D01.
///
/// A key that is no text is named by its digits.
#[test]
fn a_query_that_does_not_wait_names_binary_keys() {
    diesel::table! {
        tokens (id, part) { id -> Binary, part -> Text, }
    }
    let arena = arena_of(1);
    arena.execute(
        "CREATE TABLE tokens (id binary(2), part varchar(9), PRIMARY KEY (id, part)) ENGINE = InnoDB; \
         INSERT INTO tokens VALUES (0xff01, 'a,b'), (0x6162, 'c')",
    );
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.execute("SELECT 1 FROM tokens WHERE id = 0xff01 AND part = 'a,b' FOR UPDATE").unwrap();
    session.begin().unwrap();
    let query = tokens::table.select(tokens::part).for_update_of(tokens::table).no_wait();
    let error = RunLockQuery::load::<String>(query, session.conn()).unwrap_err();
    let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
    assert!(rows.len() == 1 && rows[0].to_string().contains("0xff01,a,b"), "{error}");
}
