//! What a statement about a child locks of its parents, and the deadlocks that come of it: the tables of the page about foreign keys.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::{
    isolation::{Actor, Play},
    support::{driver::Session, models::Parent, probe::Held},
};

/// Q02.
#[test]
fn a_statement_about_a_child_shares_the_parent_that_it_names_and_no_other() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (statement, named) in [
        ("INSERT INTO children (id, parent_id) VALUES (30, 3)", Some(3)),
        ("UPDATE children SET parent_id = 2 WHERE id = 10", Some(2)),
        ("UPDATE children SET note = 'another' WHERE id = 10", None),
        ("DELETE FROM children WHERE id = 10", None),
    ] {
        session.begin().unwrap();
        assert_eq!(session.execute(statement), Ok(1));
        for parent in 1..=4 {
            let (row, held) = (format!("id = {parent}"), if named == Some(parent) { Held::Held } else { Held::Free });
            assert_eq!(arena.probe("parents", &row), held, "{statement}, {parent}");
            assert_eq!(arena.probe_share("parents", &row), Held::Free, "{statement}, {parent}");
        }
        session.rollback().unwrap();
    }
}

type Lock = fn(&mut Driver) -> Result<(), LockError>;

/// Q01.
#[test]
fn a_parent_that_is_shared_can_be_given_children_and_no_other_can() {
    let arena = Arena::new();
    let locks: [(&str, Lock, bool); 3] = [
        ("shares", |s| s.lock_set(LockSet::new().for_share().id::<Parent>(3)).map(drop), false),
        ("locks", |s| s.lock_by_id::<Parent>(3).map(drop), true),
        ("changes", |s| Ok(s.execute("UPDATE parents SET data = 'another' WHERE id = 3").map(drop)?), true),
    ];
    for (how, lock, waits) in locks {
        let play = Play::<Driver>::new(&arena);
        let (holder, other) = (play.session("holder"), play.session("other"));
        holder.run(how, move |s| s.begin().map_err(LockError::from).and_then(|()| lock(s))).unwrap();
        other.run("begins", |s| s.begin()).unwrap();
        let inserting = other.start("inserts", |s| s.execute("INSERT INTO children (id, parent_id) VALUES (30, 3)"));
        if waits {
            inserting.blocked_by(&holder);
            holder.run("rolls back", |s| s.rollback()).unwrap();
        }
        assert_eq!(inserting.join(), Ok(1), "{how}");
        other.run("rolls back", |s| s.rollback()).unwrap();
    }
}

/// Two sessions that have each inserted a child: what becomes of their next statements.
fn crossing(
    arena: &Arena,
    parents: [i32; 2],
    next: [fn(&mut Driver) -> Result<(), LockError>; 2],
) -> [Result<(), LockError>; 2] {
    let play = Play::<Driver>::new(arena);
    let (first, second) = (play.session("first"), play.session("second"));
    let inserts = |session: &Actor<Driver>, id: i32, parent: i32| {
        let insert = format!("INSERT INTO children (id, parent_id) VALUES ({id}, {parent})");
        session.run("begins", |s| s.begin()).unwrap();
        assert_eq!(session.run("inserts", move |s| s.execute(&insert)), Ok(1));
    };
    inserts(&first, 30, parents[0]);
    inserts(&second, 40, parents[1]);
    let go_on = |next: fn(&mut Driver) -> Result<(), LockError>| {
        move |s: &mut Driver| {
            let result = next(s);
            s.rollback().unwrap();
            result
        }
    };
    let waiting = first.start("goes on", go_on(next[0]));
    waiting.blocked_by(&second);
    let other = second.run("goes on", go_on(next[1]));
    [waiting.join(), other]
}

/// P01, Q04.
#[test]
fn whoever_inserts_a_child_and_then_changes_a_parent_of_another_deadlocks() {
    let arena = Arena::new();
    let lock: Lock = |s| s.lock_by_id::<Parent>(3).map(drop);
    let change: Lock = |s| Ok(s.execute("UPDATE parents SET data = 'another' WHERE id = 3").map(drop)?);
    let change_4: Lock = |s| Ok(s.execute("UPDATE parents SET data = 'another' WHERE id = 4").map(drop)?);
    for (parents, next) in [([3, 3], [lock, lock]), ([3, 3], [change, change]), ([3, 4], [change_4, change])] {
        let ended = crossing(&arena, parents, next);
        let lost = ended.iter().filter(|ended| matches!(ended, Err(LockError::Deadlock { .. }))).count();
        assert_eq!((lost, ended.iter().filter(|ended| ended.is_ok()).count()), (1, 1), "{ended:?}");
    }
}
