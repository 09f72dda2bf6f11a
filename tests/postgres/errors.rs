//! PostgreSQL's errors by their class: serialization, cancelled statements, raised texts, what a savepoint saves.

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::{
    isolation::{Actor, Pending, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        probe::Held,
        schema::accounts,
    },
};

fn stale() -> Account {
    Account { id: 1, owner: "nobody".into(), balance: -1, v: -1 }
}

type Verb = fn(&mut Blocking) -> Option<LockError>;

/// The ways to lock account 1.
const VERBS: [(&str, Verb); 5] = [
    ("lock", |s| s.lock(&stale()).err()),
    ("set of a query", |s| {
        s.lock_set(LockSet::new().query::<Account>(accounts::table.filter(accounts::id.eq(1)))).err()
    }),
    ("mixed set", |s| s.lock_set(LockSet::new().row(&stale()).query::<Account>(accounts::table.limit(5))).err()),
    ("weaker set", |s| s.lock_set(LockSet::new().for_share().row(&stale())).err()),
    ("single query", |s| {
        let query = accounts::table.filter(accounts::id.eq(1)).for_update_of(accounts::table);
        RunLockQuery::load::<Account, _>(query, s.conn()).err()
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
                let Some(LockError::Serialization(_)) = &error else { panic!("{level}, {change}, {verb}: {error:?}") };
                assert!(error.is_some_and(|error| error.is_retryable() && error.transaction_is_lost()));
                session.rollback().unwrap();
            }
        }
    }
    // Again, with a new snapshot.
    arena.execute("INSERT INTO accounts VALUES (1, 'ada', 10, 0)");
    session.begin_as("ISOLATION LEVEL SERIALIZABLE").unwrap();
    assert_eq!(session.lock(&stale()).unwrap().owner, "ada");
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
            holder.run("locks", |s| s.begin().map(|()| s.lock(&stale()))).unwrap().unwrap();
            waiter.run("begins", |s| s.begin_as("ISOLATION LEVEL REPEATABLE READ")).unwrap();
            let waiting = waiter.start(verb, lock);
            waiting.blocked_by(&holder);
            if change {
                holder.run("changes", |s| s.execute("UPDATE accounts SET v = v + 1 WHERE id = 1")).unwrap();
            }
            holder.run("commits", |s| s.commit()).unwrap();
            let error = waiting.join();
            assert_eq!(matches!(error, Some(LockError::Serialization(_))), change, "{verb}: {error:?}");
            assert_eq!(error.is_some(), change, "{verb}: {error:?}");
        }
    }
}

/// Account 1 is held by `holder`, and `waiter` waits for it.
fn waits(holder: &Actor<Blocking>, waiter: &Actor<Blocking>, timeout: &'static str) -> Pending<LockError> {
    holder.run("locks", |s| s.begin().map(|()| s.lock(&stale()))).unwrap().unwrap();
    waiter.start("locks too", move |s| {
        s.execute(&format!("SET statement_timeout = '{timeout}'")).unwrap();
        s.begin().unwrap();
        s.lock(&stale()).unwrap_err()
    })
}

/// What is left after a wait that did not end well: the waiter goes on, the holder did not notice.
fn both_go_on(holder: &Actor<Blocking>, waiter: &Actor<Blocking>) {
    waiter.run("rolls back and goes on", |s| {
        s.execute("SELECT 1").expect_err("the transaction is lost");
        s.rollback().unwrap();
        s.begin().unwrap();
        s.lock(&Account { id: 2, ..stale() }).unwrap();
    });
    holder.run("commits", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 1").and_then(|_| s.commit())).unwrap();
    waiter.run("locks at last", |s| s.lock(&stale())).unwrap();
}

/// G09, P08.
#[test]
fn a_statement_timeout_is_no_lock_error() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    let error = waits(&holder, &waiter, "300ms").join();
    assert!(matches!(error, LockError::Query(DieselError::DatabaseError(..))), "{error:?}");
    assert!(format!("{error:?}").contains("canceling statement due to statement timeout"), "{error:?}");
    assert!(error.transaction_is_lost() && !error.is_retryable());
    both_go_on(&holder, &waiter);
}

/// G12, P08.
#[test]
fn a_wait_cancelled_by_an_administrator_is_no_lock_error() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    let waiting = waits(&holder, &waiter, "0");
    waiting.blocked_by(&holder);
    arena.execute(&format!("SELECT pg_cancel_backend({})", waiter.pid()));
    let error = waiting.join();
    assert!(matches!(error, LockError::Query(DieselError::DatabaseError(..))), "{error:?}");
    assert!(format!("{error:?}").contains("canceling statement due to user request"), "{error:?}");
    assert!(error.transaction_is_lost() && !error.is_retryable());
    both_go_on(&holder, &waiter);
}

/// P07.
#[test]
fn a_raised_text_or_a_constraints_name_does_not_make_the_class() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    arena.execute("ALTER TABLE accounts ADD CONSTRAINT \"deadlock detected\" CHECK (balance >= 0)");
    let texts = [
        "deadlock detected",
        "deadlock detected by the scheduler",
        "canceling statement due to lock timeout",
        "could not obtain lock on row in relation \"accounts\"",
        "could not serialize access due to concurrent update",
        "cannot execute SELECT FOR UPDATE in a read-only transaction",
    ];
    let additions = [
        "",
        " USING CONSTRAINT = 'a'",
        " USING DETAIL = 'Two carts want the last lamp.'",
        " USING DETAIL = 'Two carts want the last lamp.', HINT = 'Restock.'",
        " USING DETAIL = 'Process 7 of the assembly line waits.', TABLE = 'accounts'",
    ];
    let raise = |text| additions.map(|with| format!("DO $$ BEGIN RAISE EXCEPTION '{text}'{with}; END $$"));
    let mut statements: Vec<String> = texts.into_iter().flat_map(raise).collect();
    statements.push("UPDATE accounts SET balance = -1 WHERE id = 1".to_owned());
    let wrong: Vec<String> = statements
        .into_iter()
        .filter_map(|statement| match LockError::from(session.execute(&statement).unwrap_err()) {
            LockError::Query(_) => None,
            error => Some(format!("{statement}: {error:?}")),
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// P06.
#[test]
fn the_name_of_a_violated_constraint_is_kept() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let error = session
        .with_lock(&stale(), |_, conn| {
            Blocking::execute_on(conn, "INSERT INTO accounts (id, owner, balance) VALUES (1, 'twice', 0)")?;
            Ok::<_, LockError>(())
        })
        .unwrap_err();
    let LockError::Query(DieselError::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
    assert_eq!(info.constraint_name(), Some("accounts_pkey"));
    assert_eq!(info.details(), Some("Key (id)=(1) already exists."));
}

/// O10, P01.
#[test]
fn a_deadlock_inside_a_savepoint_costs_the_savepoint_only() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    for (session, id) in [(&first, 1), (&second, 2)] {
        session.run("begins, changes 3 or 4, locks its own in a savepoint", move |s| {
            s.begin().unwrap();
            s.execute(&format!("UPDATE accounts SET v = 1 WHERE id = {}", id + 2)).unwrap();
            s.begin().unwrap();
            s.lock_by_id::<Account>(id).unwrap();
        });
    }
    let crosses = |id| {
        move |s: &mut Blocking| {
            let query = accounts::table.filter(accounts::id.eq(id)).for_no_key_update_of(accounts::table);
            let locked = RunLockQuery::load::<Account, _>(query, s.conn()).map(drop);
            // Its own savepoint goes, and with it the lock that the other one waits for.
            s.rollback().unwrap();
            assert_eq!(s.number("SELECT count(*) FROM accounts"), Ok(5));
            s.commit().unwrap();
            locked
        }
    };
    let one = first.start("locks 2", crosses(2));
    one.blocked_by(&second);
    let other = second.start("locks 1", crosses(1));
    let (one, other) = (one.join(), other.join());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    let error = one.and(other).unwrap_err();
    assert!(matches!(error, LockError::Deadlock(_)), "{error:?}");
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
}

/// A08, P06.
#[test]
fn a_commit_that_fails_is_the_error_of_with_lock() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    arena.execute("ALTER TABLE children ALTER CONSTRAINT children_parent_id_fkey DEFERRABLE INITIALLY DEFERRED");
    let error = session
        .with_lock(&stale(), |_, conn| {
            Blocking::execute_on(conn, "UPDATE accounts SET balance = 0 WHERE id = 1")?;
            Blocking::execute_on(conn, "INSERT INTO children (id, parent_id) VALUES (99, 99)")?;
            Ok::<_, LockError>(())
        })
        .unwrap_err();
    let LockError::Query(DieselError::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
    assert_eq!(info.constraint_name(), Some("children_parent_id_fkey"));
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 10);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    session.with_lock(&stale(), |_, _| Ok::<_, LockError>(())).unwrap();
}

/// A08.
#[test]
fn a_closure_that_swallows_an_error_of_the_server_is_not_told_that_all_went_well() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let result = session.with_lock(&stale(), |_, conn| {
        Blocking::execute_on(conn, "UPDATE accounts SET balance = 0 WHERE id = 1")?;
        let _ = Blocking::execute_on(conn, "SELECT 1 / 0");
        Ok::<_, LockError>(())
    });
    let balance = arena.number("SELECT balance FROM accounts WHERE id = 1");
    assert!(result.is_err() || balance == 0, "{result:?}, but the balance is {balance}");
    let outside = session.lock(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}

/// A10.
#[test]
fn nested_a_closure_that_swallows_an_error_of_the_server_loses_its_own_work_only() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    session.execute("UPDATE accounts SET v = 1 WHERE id = 2").unwrap();
    let result = session.with_lock(&stale(), |_, conn| {
        Blocking::execute_on(conn, "UPDATE accounts SET v = 1 WHERE id = 1")?;
        let _ = Blocking::execute_on(conn, "SELECT 1 / 0");
        Ok::<_, LockError>(())
    });
    result.unwrap_err();
    assert_eq!(session.execute("UPDATE accounts SET v = 1 WHERE id = 3"), Ok(1));
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
    let outside = session.lock(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}
