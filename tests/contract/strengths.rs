//! The two strengths that every backend has: for update and for share.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Locked};

use super::{Arena, Driver, one_row::stale, stale::account_ids};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, OddOrder, Order, Product},
        probe::Held,
        schema::odd_order,
    },
};

/// Begins and shares account 1.
fn shares(s: &mut Driver) -> Result<Locked, LockError> {
    s.begin()?;
    s.lock_set(LockSet::new().for_share().row(&stale()))
}

const UPDATE: &str = "UPDATE accounts SET balance = balance + 1 WHERE id = 1";

/// B07.
#[test]
fn an_empty_set_locks_nothing_and_sends_nothing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let none: Vec<Account> = Vec::new();
    let sets = [
        LockSet::new(),
        LockSet::new().rows(&none),
        LockSet::new().ids::<Account>(Vec::<i32>::new()).for_share().rows(&none).allow_missing(),
    ];
    for set in sets {
        assert!(set.is_empty());
        let locked = session.lock_set(set).unwrap();
        assert!(locked.rows::<Account>().is_empty() && locked.missing().is_empty());
    }
    assert_eq!(sent.take(), Vec::<String>::new());
}

/// B07, B11.
#[test]
fn a_set_that_is_not_locked_locks_nothing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    drop(LockSet::<<Driver as Session>::Backend>::new().row(&stale()));
    assert_eq!(sent.take(), Vec::<String>::new());
    assert_eq!(session.number("SELECT balance FROM accounts WHERE id = 1"), Ok(10));
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

/// B08.
#[test]
fn words_of_sql_may_be_names_of_tables_and_columns() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let order = OddOrder { code: 1, category: String::new(), skip: 9, hurry: 9, locked: true };
    session.begin().unwrap();
    let fresh = OddOrder { code: 1, category: "merit".into(), skip: 0, hurry: 0, locked: false };
    assert_eq!(session.lock(&order).unwrap(), fresh);
    assert_eq!(session.lock_by_id::<OddOrder>(1).unwrap(), fresh);
    let hasty = odd_order::table
        .filter(odd_order::kind.ne("magnitude"))
        .order((odd_order::skip, odd_order::nowait.desc(), odd_order::number.desc()))
        .limit(1);
    let locked = session.lock_set(LockSet::new().for_share().row(&order).query::<OddOrder>(hasty)).unwrap();
    assert_eq!(locked.rows::<OddOrder>().iter().map(|order| order.code).collect::<Vec<_>>(), [1, 2]);
    session.rollback().unwrap();
}

/// A15.
#[test]
fn a_share_can_be_made_exclusive_while_nobody_else_has_one() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    shares(&mut session).unwrap();
    assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Free);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    session.lock(&stale()).unwrap();
    assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Held);
    // And the other way round nothing is given up.
    session.lock_set(LockSet::new().for_share().row(&stale())).unwrap();
    assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Held);
}

/// B01.
#[test]
fn a_strength_counts_for_what_is_added_after_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = LockSet::new().id::<Account>(1).for_share().id::<Product>(1).for_update().id::<Order>(1);
    session.lock_set(set).unwrap();
    assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Held);
    assert_eq!(arena.probe_share("products", "id = 1"), Held::Free);
    assert_eq!(arena.probe("products", "id = 1"), Held::Held);
    assert_eq!(arena.probe_share("orders", "id = 1"), Held::Held);
}

/// C06.
#[test]
fn shared_rows_can_be_shared_by_others_and_changed_by_nobody() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second, third) = (play.session("first"), play.session("second"), play.session("third"));
    first.run("shares", shares).unwrap();
    second.run("shares too", shares).unwrap();
    let updating = third.start("updates", |s| s.execute(UPDATE));
    assert!(updating.still_blocked());
    first.run("commits", |s| s.commit()).unwrap();
    updating.blocked_by(&second);
    second.run("commits", |s| s.commit()).unwrap();
    assert_eq!(updating.join(), Ok(1));
}

/// C03, C05.
#[test]
fn an_exclusive_locker_waits_for_everybody_who_shares() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second, third) = (play.session("first"), play.session("second"), play.session("third"));
    first.run("shares", shares).unwrap();
    second.run("shares too", shares).unwrap();
    let locking = third.start("locks", |s| {
        s.begin().unwrap();
        s.lock(&stale())
    });
    assert!(locking.still_blocked());
    first.run("commits", |s| s.commit()).unwrap();
    locking.blocked_by(&second);
    second.run("commits", |s| s.commit()).unwrap();
    assert_eq!(locking.join().unwrap().balance, 10);
    assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Held);
}

/// C03.
#[test]
fn who_wants_to_share_waits_for_the_exclusive_holder() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    first.run("locks and changes", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap();
        s.execute(UPDATE).unwrap();
    });
    let sharing = second.start("shares", |s| shares(s).map(|mut locked| locked.take_id::<Account>(1).unwrap().balance));
    sharing.blocked_by(&first);
    first.run("commits", |s| s.commit()).unwrap();
    assert_eq!(sharing.join().unwrap(), 11);
}

/// C13, P01.
#[test]
fn two_who_share_and_then_lock_deadlock_and_one_is_told_so() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    for session in [&first, &second] {
        session.run("shares", shares).unwrap();
    }
    let locks = |s: &mut Driver| {
        let locked = s.lock(&stale());
        // Whoever is through lets the other one go on, and the victim has to end its transaction anyway.
        s.rollback().map(|()| locked)
    };
    let one = first.start("locks", locks);
    one.blocked_by(&second);
    let other = second.start("locks", locks);
    let (one, other) = (one.join().unwrap(), other.join().unwrap());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    let error = one.and(other).unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
}

/// H25.
#[test]
fn shared_sets_coexist_and_an_exclusive_one_waits_for_all_of_them() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let [one, other, third] = ["one", "other", "third"].map(|name| play.session(name));
    for reader in [&one, &other] {
        reader.run("shares", |s| {
            s.begin().unwrap();
            s.lock_set(LockSet::new().for_share().ids::<Account>([1, 2])).unwrap();
        });
    }
    let exclusive = third.start("locks", |s| {
        s.begin().unwrap();
        account_ids(&s.lock_set(LockSet::new().ids::<Account>([2, 1])).unwrap())
    });
    // The server names one holder at a time.
    exclusive.blocked_by(&one);
    one.run("commits", |s| s.commit().unwrap());
    exclusive.blocked_by(&other);
    other.run("commits", |s| s.commit().unwrap());
    assert_eq!(exclusive.join(), [1, 2]);
}
