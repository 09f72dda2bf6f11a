//! Locks and transactions: which of the two ends first.

use std::time::Duration;

use diesel_lockset::LockError;

use super::{Arena, Driver, account, free, nothing, verbs::RunAdvisoryLock};
use crate::{isolation::Play, support::driver::Session};

#[test]
fn what_the_closure_did_is_committed_before_the_lock_is_released() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    // The commit waits: a deferred constraint asks for a lock that the test holds.
    arena.execute(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS \
           'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER stop AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION stop()",
    );
    let gate = play.session("gate");
    gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)").unwrap());
    let committing = one.start("holds and changes", |s| {
        account(1).hold(s.conn(), |conn| Ok::<_, LockError>(Driver::execute_on(conn, "UPDATE accounts SET v = 7")?))
    });
    committing.blocked_by(&gate);
    let reading = two.start("holds and reads", |s| {
        account(1).hold_session(s.conn(), nothing).unwrap();
        s.number("SELECT min(v) FROM accounts").unwrap()
    });
    reading.blocked_by(&one);
    gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)").unwrap());
    assert_eq!(committing.join().unwrap(), 5);
    assert_eq!(reading.join(), 7);
}

/// L01.
#[test]
fn for_a_transaction_it_ends_with_that_and_not_before() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    for commit in [true, false] {
        one.begin().unwrap();
        account(1).acquire_for_transaction(one.conn()).unwrap();
        assert!(!free(&mut two, account(1)));
        if commit { one.commit() } else { one.rollback() }.unwrap();
        assert!(free(&mut two, account(1)));
    }
    one.begin().unwrap();
    one.begin().unwrap();
    assert!(account(1).try_acquire_for_transaction(one.conn()).unwrap());
    one.rollback().unwrap();
    assert!(free(&mut two, account(1)), "a savepoint takes it along");
    one.commit().unwrap();
}

/// L02.
#[test]
fn for_a_transaction_it_is_refused_where_there_is_none_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let refused = account(1).acquire_for_transaction(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    let refused = account(1).try_acquire_for_transaction(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert_eq!(sent.take(), [""; 0]);
}

#[test]
fn a_hold_in_a_transaction_lasts_until_its_end() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    account(1).hold(one.conn(), nothing).unwrap();
    assert_eq!(account(2).try_hold(one.conn(), nothing).unwrap(), Some(()));
    assert!(!free(&mut two, account(1)) && !free(&mut two, account(2)));
    let failed = account(3).hold(one.conn(), |conn| {
        Driver::execute_on(conn, "SELECT 1/0")?;
        Ok::<_, LockError>(())
    });
    assert!(failed.is_err());
    assert!(free(&mut two, account(3)));
    assert_eq!(one.number("SELECT 1"), Ok(1), "the outer transaction goes on");
    one.commit().unwrap();
    assert!(free(&mut two, account(1)) && free(&mut two, account(2)));
}

/// L04.
#[test]
fn an_error_of_the_server_inside_leaks_nothing_when_the_outer_transaction_is_rolled_back() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    for session in [false, true] {
        one.begin().unwrap();
        let divide = |conn: &mut <Driver as Session>::Conn| {
            Driver::execute_on(conn, "SELECT 1/0")?;
            Ok::<_, LockError>(())
        };
        let failed =
            if session { account(1).hold_session(one.conn(), divide) } else { account(1).hold(one.conn(), divide) };
        assert!(matches!(failed, Err(LockError::Query(_))), "{failed:?}");
        one.rollback().unwrap();
        assert_eq!(one.number(mine), Ok(0));
        assert!(free(&mut two, account(1)));
    }
}

/// L06.
#[test]
fn both_kinds_on_one_name_end_each_at_its_time() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    account(1).acquire_for_transaction(one.conn()).unwrap();
    // Forgotten, so that it is held beyond the commit.
    std::mem::forget(account(1).acquire(one.conn()).unwrap());
    one.commit().unwrap();
    assert!(!free(&mut two, account(1)));
    one.execute(&format!("SELECT pg_advisory_unlock({})", account(1).name().key())).unwrap();
    assert!(free(&mut two, account(1)));
}

#[test]
fn after_a_timeout_for_a_transaction_the_transaction_goes_on() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let _guard = account(1).acquire(one.conn()).unwrap();
    two.begin().unwrap();
    two.execute("UPDATE accounts SET v = 3 WHERE id = 3").unwrap();
    let late = account(1).timeout(Duration::from_millis(200)).acquire_for_transaction(two.conn()).unwrap_err();
    assert!(matches!(late, LockError::TimedOut { .. }) && !late.transaction_is_lost(), "{late:?}");
    two.commit().unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 3"), 3);
}
