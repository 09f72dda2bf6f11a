//! What the server refuses: as what it comes back, and what becomes of the transaction.

use diesel::{dsl::sql, prelude::*, result::Error, sql_types::Integer};
use diesel_lockset::{LockError, LockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Event, Seat, Tag},
        schema::{accounts, events},
    },
};

/// A zero byte is in no text of PostgreSQL.
#[test]
fn a_key_with_a_zero_byte_is_an_error_of_the_database() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sets: [fn() -> LockSet<'static, diesel::pg::Pg>; 2] =
        [|| LockSet::new().ids::<Tag>(["apple", "ap\0ple"]), || LockSet::new().id::<Seat>(("A\0".to_owned(), 1))];
    for set in sets {
        session.begin().unwrap();
        let error = session.lock_set(set()).unwrap_err();
        let LockError::Query(Error::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
        assert!(info.message().contains("0x00"), "{}", info.message());
        assert!(error.transaction_is_lost() && !error.is_retryable());
        session.rollback().unwrap();
        assert_eq!(arena.held_keys("tags", "name"), [""; 0]);
        session.begin().unwrap();
        session.lock_by_id::<Tag>("apple").unwrap();
        session.rollback().unwrap();
    }
}

/// P06.
#[test]
fn a_query_that_the_server_cannot_run_is_an_error_of_the_database_and_nothing_is_locked() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let broken = accounts::table.filter(accounts::balance.eq(sql::<Integer>("1 / (balance - 10)")));
    let error = session.lock_set(LockSet::new().id::<Account>(2).query::<Account>(broken)).unwrap_err();
    let LockError::Query(Error::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
    assert_eq!(info.message(), "division by zero");
    assert!(error.transaction_is_lost());
    session.execute("SELECT 1").unwrap_err();
    session.rollback().unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), [""; 0]);
    assert_eq!(session.number("SELECT 1"), Ok(1));
}

/// O01.
#[test]
fn an_error_inside_a_savepoint_leaves_the_outer_transaction_and_its_locks() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    session.lock_by_id::<Account>(1).unwrap();
    session.begin().unwrap();
    session.lock_by_id::<Account>(2).unwrap();
    session.lock_by_id::<Tag>("\0").unwrap_err();
    session.rollback().unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), ["1"]);
    session.lock_by_id::<Account>(3).unwrap();
    session.commit().unwrap();
}

/// F04, O05.
#[test]
fn a_row_that_moves_to_another_partition_meanwhile_is_a_serialization_failure() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    let sets: [fn() -> LockSet<'static, diesel::pg::Pg>; 3] = [
        || LockSet::new().id::<Event>((1, "north".to_owned())),
        || LockSet::new().query::<Event>(events::table.filter(events::region.ne("x"))),
        || LockSet::new().query::<Event>(events::table.order(events::id).limit(3)),
    ];
    for set in sets {
        holder.run("moves", |s| {
            s.begin().unwrap();
            s.execute("UPDATE events SET region = 'west' WHERE id = 1 AND region = 'north'").unwrap();
        });
        let waiting = locker.start("locks", move |s| {
            s.begin().unwrap();
            let outcome = s.lock_set(set()).map(|_| ());
            s.rollback().unwrap();
            outcome
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit().unwrap());
        let error = waiting.join().unwrap_err();
        assert!(matches!(error, LockError::Serialization { .. }), "{error:?}");
        assert!(error.is_retryable() && error.transaction_is_lost());
        arena.execute("UPDATE events SET region = 'north' WHERE region = 'west'");
    }
}
