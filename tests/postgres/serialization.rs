//! Serialization failures: a row that changed after the snapshot of a transaction that wants to lock it.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        schema::accounts,
    },
};

type Verb = fn(&mut Blocking) -> Option<LockError>;

/// The ways to lock account 1.
const VERBS: [(&str, Verb); 5] = [
    ("lock", |s| s.lock_by_id::<Account>(1).err()),
    ("set of a query", |s| {
        s.lock_set(LockSet::new().query::<Account>(accounts::table.filter(accounts::id.eq(1)))).err()
    }),
    ("mixed set", |s| s.lock_set(LockSet::new().id::<Account>(1).query::<Account>(accounts::table.limit(5))).err()),
    ("weaker set", |s| s.lock_set(LockSet::new().for_share().id::<Account>(1)).err()),
    ("single query", |s| {
        let query = accounts::table.filter(accounts::id.eq(1)).for_update_of(accounts::table);
        RunLockQuery::load::<Account>(query, s.conn()).err()
    }),
];

/// O05, P04, P05.
#[test]
fn a_row_changed_since_the_snapshot_is_a_serialization_failure() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for change in ["UPDATE accounts SET id = 1 WHERE id = 1", "DELETE FROM accounts WHERE id = 1"] {
            for (verb, lock) in VERBS {
                arena.execute("INSERT INTO accounts VALUES (1, 'ada', 10, 0) ON CONFLICT DO NOTHING");
                session.begin_as(&format!("ISOLATION LEVEL {level}")).unwrap();
                assert_eq!(session.number("SELECT balance FROM accounts WHERE id = 1"), Ok(10));
                arena.execute(change);
                let error = lock(&mut session);
                let Some(LockError::Serialization { .. }) = &error else {
                    panic!("{level}, {change}, {verb}: {error:?}")
                };
                assert!(error.is_some_and(|error| error.is_retryable() && error.transaction_is_lost()));
                session.rollback().unwrap();
            }
        }
    }
    // Again, with a new snapshot.
    arena.execute("INSERT INTO accounts VALUES (1, 'ada', 10, 0)");
    session.begin_as("ISOLATION LEVEL SERIALIZABLE").unwrap();
    assert_eq!(session.lock_by_id::<Account>(1).unwrap().owner, "ada");
    session.commit().unwrap();
}

/// O04, O05, P04.
#[test]
fn a_row_that_changes_while_it_is_waited_for_is_a_serialization_failure_an_unchanged_one_is_not() {
    let arena = Arena::new();
    for (verb, lock) in VERBS {
        for change in [true, false] {
            let play = Play::<Blocking>::new(&arena);
            let (holder, waiter) = (play.session("holder"), play.session("waiter"));
            holder.run("locks", |s| s.begin().map(|()| s.lock_by_id::<Account>(1))).unwrap().unwrap();
            waiter.run("begins", |s| s.begin_as("ISOLATION LEVEL REPEATABLE READ")).unwrap();
            let waiting = waiter.start(verb, lock);
            waiting.blocked_by(&holder);
            if change {
                holder.run("changes", |s| s.execute("UPDATE accounts SET v = v + 1 WHERE id = 1")).unwrap();
            }
            holder.run("commits", |s| s.commit()).unwrap();
            let error = waiting.join();
            assert_eq!(matches!(error, Some(LockError::Serialization { .. })), change, "{verb}: {error:?}");
            assert_eq!(error.is_some(), change, "{verb}: {error:?}");
        }
    }
}
