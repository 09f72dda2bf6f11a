//! Lock sets in nested transactions, at every isolation level, and after an error.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Job},
        probe::Held,
    },
};

/// O02.
#[test]
fn a_nested_transaction_that_commits_passes_its_locks_to_the_outer_one() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for outer_commits in [false, true] {
        session.begin().unwrap();
        session.lock_by_id::<Account>(1).unwrap();
        session.begin().unwrap();
        session.lock_set(LockSet::new().id::<Account>(2).id::<Job>(3)).unwrap();
        session.commit().unwrap();
        assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
        assert_eq!(arena.held_keys("jobs", "id"), ["3"]);
        if outer_commits {
            session.commit().unwrap();
        } else {
            session.rollback().unwrap();
        }
        assert!(arena.held_keys("accounts", "id").is_empty());
        assert!(arena.held_keys("jobs", "id").is_empty());
    }
}

/// O02.
#[test]
fn a_waiter_gets_the_row_of_a_nested_transaction_when_the_outer_one_ends() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    holder.run("locks 2 in a nested transaction", |s| {
        s.begin().unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(2).unwrap();
        s.execute("UPDATE accounts SET balance = 21 WHERE id = 2").unwrap();
    });
    let waiting = waiter.start("locks 2", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(2).unwrap().balance
    });
    waiting.blocked_by(&holder);
    holder.run("commits the nested transaction", |s| s.commit()).unwrap();
    assert!(waiting.still_blocked());
    holder.run("commits the outer one", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), 21);
}

/// O04.
#[test]
fn unchanged_rows_lock_fine_at_every_isolation_level() {
    let arena = Arena::new();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let play = Play::<Driver>::new(&arena);
        let (holder, waiter) = (play.session("holder"), play.session("waiter"));
        let set = || LockSet::new().ids::<Account>([2, 1]).id::<Job>(1);
        let characteristics = format!("ISOLATION LEVEL {level}");
        let same = characteristics.clone();
        holder.run("locks without a change", move |s| {
            s.begin_as(&characteristics).unwrap();
            s.lock_set(set()).unwrap();
        });
        let waiting = waiter.start(level, move |s| {
            s.begin_as(&same).unwrap();
            assert_eq!(s.number("SELECT count(*) FROM accounts"), Ok(5));
            s.lock_set(set()).map(|locked| locked.rows::<Account>().len())
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit()).unwrap();
        assert_eq!(waiting.join().unwrap(), 2, "{level}");
        assert_eq!(arena.probe("accounts", "id = 2"), Held::Held, "{level}");
        waiter.run("commits", |s| s.commit()).unwrap();
    }
}

/// Locks account 1 in a transaction of its own, as if nothing had happened before.
fn works(session: &mut Driver) {
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<Account>(1).unwrap().owner, "ada");
    session.commit().unwrap();
}

/// O10.
#[test]
fn the_connection_works_after_an_error() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());

    let error = session.lock_by_id::<Account>(1).unwrap_err();
    assert!(matches!(error, LockError::NotInTransaction), "{error:?}");
    works(&mut session);

    session.begin().unwrap();
    let error = session.lock_by_id::<Account>(99).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }) && !error.transaction_is_lost(), "{error:?}");
    session.lock_by_id::<Account>(2).unwrap();
    session.rollback().unwrap();
    works(&mut session);

    session.begin_as("READ ONLY").unwrap();
    let error = session.lock_by_id::<Account>(1).unwrap_err();
    assert!(matches!(error, LockError::ReadOnly(_)), "{error:?}");
    session.rollback().unwrap();
    works(&mut session);
}
