//! Transactions beside others that hold rows.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet, LockTransaction};

use super::{
    Arena, Driver,
    disorder::{accounts, refusing},
    retries::quick,
    run,
    verbs::RunLockSet,
};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Account},
};

/// D01, G01.
#[test]
fn contended_and_timed_out_calls_are_retried_until_the_holder_is_gone() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    type Locks = fn(&mut super::Conn) -> Result<(), LockError>;
    let calls: [(&str, Locks, LockTransaction); 2] = [
        ("no_wait", |conn| LockSet::new().id::<Account>(1).no_wait().lock(conn).map(drop), quick().retry_contended()),
        (
            "timeout",
            |conn| LockSet::new().id::<Account>(1).timeout(Duration::from_millis(50)).lock(conn).map(drop),
            quick().retry_timed_out(),
        ),
    ];
    for (name, call, transaction) in calls {
        let holder = play.session(name);
        holder.run("locks", |s| s.begin().map(|()| s.lock_by_id::<Account>(1).unwrap())).unwrap();
        let mut session = Driver::connect(arena.url());
        let mut tries = 0;
        let transaction = transaction.before_retry(|_, tries| {
            if tries == 2 {
                holder.run("commits", |s| s.commit()).unwrap();
            }
        });
        let done = run(&mut session, transaction, |conn| {
            tries += 1;
            call(conn)
        });
        assert!(done.is_ok(), "{name}: {done:?}");
        assert_eq!(tries, 3, "{name}");
    }
}

#[test]
fn two_connections_of_one_thread_are_two_orders() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut other = Driver::connect(arena.url());
    let done = run(&mut session, refusing(), |conn| {
        accounts(conn, &[5])?;
        run(&mut other, refusing(), |conn| accounts(conn, &[1]))
    });
    assert!(done.is_ok(), "{done:?}");
}
