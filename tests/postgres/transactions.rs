//! Savepoints, Diesel's nested transactions and snapshots, as PostgreSQL treats them.

use diesel::{
    Connection,
    pg::Pg,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_lockset::{LockDsl, LockError, LockSet, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Job},
        schema::{accounts, jobs},
    },
};

fn held(arena: &Arena) -> Vec<String> {
    arena.held_keys("accounts", "id")
}

/// O01.
#[test]
fn a_nested_transaction_that_is_rolled_back_frees_what_it_locked() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    session.lock_by_id::<Account>(1).unwrap();
    session.begin().unwrap();
    session.lock_set(LockSet::new().ids::<Account>([2, 1]).query::<Account>(accounts::table.find(3))).unwrap();
    assert_eq!(held(&arena), ["1", "2", "3"]);
    session.rollback().unwrap();
    assert_eq!(held(&arena), ["1"]);
    session.commit().unwrap();
    assert!(held(&arena).is_empty());
}

/// O01, O02.
#[test]
fn diesels_nested_closures_keep_and_free_locks_as_savepoints_do() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let end: Result<i32, LockError> = conn.transaction(|conn| {
        Account::lock_by_id(1, conn)?;
        let inner: Result<(), LockError> = conn.transaction(|conn| {
            LockSet::new().ids::<Account>([3, 2]).lock(conn)?;
            diesel::update(accounts::table.find(2)).set(accounts::balance.eq(0)).execute(conn)?;
            conn.transaction(|conn| {
                Account::lock_by_id(4, conn)?;
                Ok::<_, LockError>(())
            })?;
            assert_eq!(held(&arena), ["1", "2", "3", "4"]);
            Account::lock_by_id(99, conn)?;
            Ok(())
        });
        let inner = inner.unwrap_err();
        assert_eq!(inner.to_string(), "Account 99 does not exist: deleted since it was loaded, or never there");
        assert_eq!(held(&arena), ["1"], "the locks of the inner ones went with their savepoint");
        let two: Account = conn.transaction(|conn| Account::lock_by_id(2, conn))?;
        assert_eq!(held(&arena), ["1", "2"]);
        Ok(two.balance)
    });
    assert_eq!(end.unwrap(), 20);
    assert!(held(&arena).is_empty());
}

/// O01, O10.
#[test]
fn an_aborted_savepoint_leaves_the_outer_transaction_usable() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let end: Result<(), LockError> = conn.transaction(|conn| {
        Account::lock_by_id(1, conn)?;
        let refused = conn.transaction(|conn| {
            Account::lock_by_id(2, conn)?;
            diesel::insert_into(accounts::table)
                .values((accounts::id.eq(1), accounts::owner.eq("again"), accounts::balance.eq(0)))
                .execute(conn)?;
            Ok::<_, LockError>(())
        });
        let refused = refused.unwrap_err();
        let LockError::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(info.constraint_name(), Some("accounts_pkey"));
        assert!(refused.transaction_is_lost() && refused.to_string().ends_with(info.message()));
        assert_eq!(held(&arena), ["1"]);
        Account::lock_by_id(3, conn)?;
        assert_eq!(held(&arena), ["1", "3"]);
        Ok(())
    });
    end.unwrap();
}

/// O01.
#[test]
fn a_transaction_for_tests_counts_as_one() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    conn.begin_test_transaction().unwrap();
    Account::lock_by_id(1, &mut conn).unwrap();
    let nested: Result<Account, LockError> = conn.transaction(|conn| Account::lock_by_id(2, conn));
    assert_eq!((nested.unwrap().id, held(&arena)), (2, vec!["1".to_owned(), "2".to_owned()]));
}

type Form = (&'static str, fn() -> LockSet<'static, Pg>);

/// Queries that choose account 1.
const QUERIES: [Form; 4] = [
    ("alone", || LockSet::new().query::<Account>(accounts::table.filter(accounts::owner.eq("ada")))),
    ("boxed", || LockSet::new().query::<Account>(accounts::table.filter(accounts::v.eq(0)).into_boxed())),
    ("limited", || LockSet::new().query::<Account>(accounts::table.order(accounts::id).limit(1))),
    ("beside a key", || LockSet::new().query::<Account>(accounts::table.filter(accounts::id.lt(3))).id::<Account>(5)),
];

/// I14.
#[test]
fn a_row_of_a_query_that_changed_since_the_snapshot_is_a_serialization_failure() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for (form, set) in QUERIES {
            session.begin_as(&format!("ISOLATION LEVEL {level}")).unwrap();
            assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
            // Also a change that takes the row out of the query: the snapshot still has it there.
            arena.execute("UPDATE accounts SET owner = 'Ada', v = 1 WHERE id = 1");
            let error = session.lock_set(set()).unwrap_err();
            assert!(matches!(error, LockError::Serialization { .. }), "{level}, {form}: {error:?}");
            assert!(error.is_retryable() && error.transaction_is_lost());
            session.rollback().unwrap();
            assert!(held(&arena).is_empty());

            arena.execute("UPDATE accounts SET owner = 'ada', v = 0 WHERE id = 1");
            session.begin_as(&format!("ISOLATION LEVEL {level}")).unwrap();
            assert_eq!(session.lock_set(set()).unwrap().id::<Account>(1).unwrap().owner, "ada", "{level}, {form}");
            session.commit().unwrap();
        }
    }
}

/// I14.
#[test]
fn a_row_of_a_query_that_changes_while_the_set_waits_for_it_is_a_serialization_failure() {
    let arena = Arena::new();
    for (form, set) in QUERIES {
        let play = Play::<Blocking>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("changes 1", move |s| {
            s.begin().unwrap();
            s.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1").unwrap();
        });
        let waiting = locker.start(form, move |s| {
            s.begin_as("ISOLATION LEVEL REPEATABLE READ").unwrap();
            s.lock_set(set()).map(drop)
        });
        waiting.blocked_by(&outsider);
        outsider.run("commits", |s| s.commit()).unwrap();
        let error = waiting.join().unwrap_err();
        assert!(matches!(error, LockError::Serialization { .. }), "{form}: {error:?}");
        locker.run("rolls back", |s| s.rollback()).unwrap();
    }
}

/// O05.
#[test]
fn a_row_that_changed_and_is_not_wanted_is_no_failure() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin_as("ISOLATION LEVEL REPEATABLE READ").unwrap();
    assert_eq!(session.number("SELECT count(*) FROM jobs"), Ok(5));
    arena.execute("UPDATE accounts SET v = v + 1 WHERE id = 1; DELETE FROM jobs WHERE id = 2");
    let set = LockSet::new()
        .ids::<Account>([2, 5])
        .query::<Job>(jobs::table.filter(jobs::id.ne(2)).order(jobs::priority).limit(2));
    let locked = session.lock_set(set).unwrap();
    assert_eq!((locked.rows::<Account>().len(), locked.rows::<Job>().len()), (2, 2));
    session.commit().unwrap();
}

/// O05.
#[test]
fn diesels_transaction_builder_and_a_retry_by_hand() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let mut tries = 0;
    let balance = loop {
        tries += 1;
        let attempt: Result<i32, LockError> = conn.build_transaction().repeatable_read().run(|conn| {
            let seen: Account = accounts::table.find(1).first(conn)?;
            if tries == 1 {
                arena.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1");
            }
            Ok(seen.lock(conn)?.balance)
        });
        match attempt {
            Err(error) if error.is_retryable() => {}
            ended => break ended.unwrap(),
        }
    };
    assert_eq!((tries, balance), (2, 11));
}
