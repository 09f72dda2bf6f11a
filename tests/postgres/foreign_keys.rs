//! Rows that others reference: how much of their parent a child holds, and the parent's lock of its children.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::{
    isolation::{Actor, Pending, Play, Script},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Parent,
        postgres::probe::{Strength, probe_at},
        probe::Held,
        schema::parents,
    },
};

/// Begins and locks a parent for changing anything but its key.
fn lock_but_the_key(s: &mut Blocking, id: i32) -> Result<(), LockError> {
    s.begin()?;
    s.lock_set(LockSet::new().for_no_key_update().id::<Parent>(id)).map(drop)
}

/// Begins and locks a parent for deleting it.
fn lock_for_update(s: &mut Blocking, id: i32) -> Result<(), LockError> {
    s.begin()?;
    s.lock_by_id::<Parent>(id).map(drop)
}

/// Adds a child of `parent`; begins nothing.
fn insert(child: i32, parent: i32) -> impl Fn(&mut Blocking) -> QueryResult<usize> + Send + Sync + 'static {
    move |s| s.execute(&format!("INSERT INTO children (id, parent_id) VALUES ({child}, {parent})"))
}

/// Q01.
#[test]
fn a_parent_locked_but_for_its_key_can_be_given_children() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (locker, other) = (play.session("locker"), play.session("other"));
    locker.run("locks 1, but not its key", |s| lock_but_the_key(s, 1)).unwrap();
    assert_eq!(other.run("inserts a child of 1", insert(12, 1)), Ok(1));
    locker.run("rolls back", |s| s.rollback()).unwrap();

    locker.run("locks 1", |s| lock_for_update(s, 1)).unwrap();
    assert_eq!(other.run("inserts a child of 2", insert(21, 2)), Ok(1));
    let inserting = other.start("inserts another child of 1", insert(13, 1));
    inserting.blocked_by(&locker);
    locker.run("commits", |s| s.commit()).unwrap();
    assert_eq!(inserting.join(), Ok(1));
}

/// Q02.
#[test]
fn a_statement_about_a_child_key_shares_the_parent_that_it_names_and_no_other() {
    let arena = Arena::new();
    let (mut session, mut probe) = (Blocking::connect(arena.url()), arena.pg());
    for (statement, named) in [
        ("INSERT INTO children (id, parent_id) VALUES (30, 3)", Some(3)),
        ("UPDATE children SET parent_id = 2 WHERE id = 10", Some(2)),
        ("UPDATE children SET note = 'another' WHERE id = 10", None),
        ("DELETE FROM children WHERE id = 10", None),
    ] {
        session.begin().unwrap();
        assert_eq!(session.execute(statement), Ok(1));
        for (parent, strength) in (1..=4).flat_map(|parent| Strength::ALL.map(|strength| (parent, strength))) {
            let held = named == Some(parent) && Strength::KeyShare.conflicts_with(strength);
            let held = if held { Held::Held } else { Held::Free };
            let row = format!("id = {parent}");
            assert_eq!(probe_at(&mut probe, strength, "parents", &row), held, "{statement}, {parent}, {strength:?}");
        }
        session.rollback().unwrap();
    }
}

/// Q01.
#[test]
fn a_parent_can_be_given_children_unless_its_key_is_locked() {
    let arena = Arena::new();
    for (held, waits) in [
        ("SELECT id FROM parents WHERE id = 3 FOR KEY SHARE", false),
        ("SELECT id FROM parents WHERE id = 3 FOR SHARE", false),
        ("SELECT id FROM parents WHERE id = 3 FOR NO KEY UPDATE", false),
        ("UPDATE parents SET data = 'another' WHERE id = 3", false),
        ("SELECT id FROM parents WHERE id = 3 FOR UPDATE", true),
        ("UPDATE parents SET id = 33 WHERE id = 3", true),
        ("DELETE FROM parents WHERE id = 3", true),
    ] {
        let play = Play::<Blocking>::new(&arena);
        let (holder, other) = (play.session("holder"), play.session("other"));
        holder.run(held, move |s| s.begin().and_then(|()| s.execute(held))).unwrap();
        other.run("begins", |s| s.begin()).unwrap();
        let inserting = other.start("inserts a child of 3", insert(30, 3));
        if waits {
            inserting.blocked_by(&holder);
            holder.run("rolls back", |s| s.rollback()).unwrap();
        }
        assert_eq!(inserting.join(), Ok(1), "{held}");
        other.run("rolls back", |s| s.rollback()).unwrap();
    }
}

/// Q04.
#[test]
fn two_who_added_a_child_and_change_each_others_parent_do_not_wait() {
    let arena = Arena::new();
    let (mut first, mut second) = (Blocking::connect(arena.url()), Blocking::connect(arena.url()));
    for (session, child, parent) in [(&mut first, 30, 3), (&mut second, 40, 4)] {
        session.begin().unwrap();
        assert_eq!(insert(child, parent)(session), Ok(1));
    }
    for (session, parent) in [(&mut first, 4), (&mut second, 3)] {
        let change = format!("UPDATE parents SET data = 'another' WHERE id = {parent}");
        session.execute("SET LOCAL lock_timeout = 1").unwrap();
        assert_eq!(session.execute(&change), Ok(1));
    }
}

/// Q02.
#[test]
fn an_uncommitted_child_leaves_its_parent_to_be_locked_but_for_its_key() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (parent, other) = (play.session("parent"), play.session("other"));
    let held = |other: &Actor<Blocking>, waiting: Pending<()>| {
        waiting.blocked_by(&parent);
        parent.run("rolls back", |s| s.rollback()).unwrap();
        waiting.join();
        other.run("rolls back", |s| s.rollback()).unwrap();
    };
    let bears = || {
        parent.run("begins", |s| s.begin()).unwrap();
        assert_eq!(parent.run("inserts a child of 3", insert(30, 3)), Ok(1));
    };
    bears();
    other.run("locks 3, but not its key", |s| lock_but_the_key(s, 3)).unwrap();
    other.run("rolls back", |s| s.rollback()).unwrap();
    let skips = other.run("skips", |s| {
        s.begin().unwrap();
        let three = parents::table.find(3);
        let weak: Vec<Parent> = three.for_no_key_update_of(parents::table).skip_locked().load(s.conn()).unwrap();
        let strong: Vec<Parent> = three.for_update_of(parents::table).skip_locked().load(s.conn()).unwrap();
        s.rollback().unwrap();
        (weak.len(), strong.len())
    });
    assert_eq!(skips, (1, 0));
    held(&other, other.start("locks 3", |s| lock_for_update(s, 3).unwrap()));
    bears();
    held(
        &other,
        other.start("deletes 3", |s| {
            s.begin().unwrap();
            assert_eq!(s.execute("DELETE FROM parents WHERE id = 3"), Ok(1));
        }),
    );
}

/// Two sessions that each add a child of parent 2 and then lock the parent.
fn children_first(lock: fn(&mut Blocking) -> Result<Parent, LockError>) -> Script<Blocking> {
    let part = |script: Script<Blocking>, name, child| {
        let script = script.session(name).step("begin", |s| s.begin()).step("insert", insert(child, 2));
        script.step("lock", move |s| lock(s).map(drop)).step("end", |s| s.commit().or_else(|_| s.rollback()))
    };
    part(part(Script::new().setup("DELETE FROM children WHERE id > 20"), "s1", 21), "s2", 22)
}

const CROSSING: &[&str] = &["s1.begin s2.begin s1.insert s2.insert s1.lock s2.lock s1.end s2.end"];

/// Q04.
#[test]
fn who_added_a_child_can_lock_the_parent_but_for_its_key_without_deadlock() {
    let arena = Arena::new();
    let lock = |s: &mut Blocking| {
        let locked = s.lock_set(LockSet::new().for_no_key_update().id::<Parent>(2));
        locked.and_then(|mut locked| locked.take_id::<Parent>(2))
    };
    let runs = children_first(lock).these(&arena, CROSSING);
    let run = &runs.0[0];
    assert!(run.is_possible() && run.failed().is_empty(), "{run}");
    assert!(run.waited("s2.lock") && !run.waited("s1.lock"), "{run}");
    assert_eq!(arena.number("SELECT count(*) FROM children WHERE id > 20"), 2);
}

/// P01, Q04.
#[test]
fn two_who_added_a_child_and_lock_the_parent_for_update_deadlock_and_one_is_told_so() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    for (session, child) in [(&first, 21), (&second, 22)] {
        session.run("begins", |s| s.begin()).unwrap();
        assert_eq!(session.run("inserts a child of 2", insert(child, 2)), Ok(1));
    }
    let locks = |s: &mut Blocking| match s.lock_by_id::<Parent>(2) {
        Ok(_) => s.commit().map_err(LockError::from),
        Err(error) => s.rollback().map_err(LockError::from).and(Err(error)),
    };
    let one = first.start("locks 2", locks);
    one.blocked_by(&second);
    let other = second.start("locks 2", locks);
    let (one, other) = (one.join(), other.join());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    let error = one.and(other).unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    assert_eq!(arena.number("SELECT count(*) FROM children WHERE id > 20"), 1);
}
