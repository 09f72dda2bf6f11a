//! Picks that leave the key alone, so that others can reference the row meanwhile.

use diesel::prelude::*;
use diesel_lockset::{LockQueryDsl, PickDsl};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Parent,
        postgres::probe::Strength,
        schema::parents,
    },
};

fn pick_but_the_key(s: &mut Blocking) -> Option<i32> {
    s.begin().unwrap();
    let next = parents::table.order(parents::id).for_no_key_update_of(parents::table);
    let picked: Option<Parent> = next.pick_next(s.conn()).unwrap();
    picked.map(|parent| parent.id)
}

/// J17, Q01.
#[test]
fn picked_but_for_its_key_a_parent_can_be_given_children() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let [worker, other, third] = ["worker", "other", "third"].map(|name| play.session(name));
    assert_eq!(worker.run("picks, but not the key", pick_but_the_key), Some(1));
    let insert = |s: &mut Blocking| s.execute("INSERT INTO children (id, parent_id) VALUES (12, 1)");
    assert_eq!(other.run("inserts a child of 1", insert), Ok(1));
    assert_eq!(third.run("picks, but not the key", pick_but_the_key), Some(2));
}

/// J17.
#[test]
fn control_picked_for_update_a_parent_makes_them_wait() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (worker, other) = (play.session("worker"), play.session("other"));
    worker.run("picks", |s| {
        s.begin().unwrap();
        let picked: Option<Parent> = parents::table.order(parents::id).pick_next(s.conn()).unwrap();
        assert_eq!(picked.unwrap().id, 1);
    });
    let insert = |s: &mut Blocking| s.execute("INSERT INTO children (id, parent_id) VALUES (12, 1)");
    let inserting = other.start("inserts a child of 1", insert);
    inserting.blocked_by(&worker);
    worker.run("commits", |s| s.commit().unwrap());
    assert_eq!(inserting.join(), Ok(1));
}

/// B01.
#[test]
fn each_strength_of_a_pick_is_its_clause() {
    macro_rules! at {
        ($strength:expr, $query:expr, $table:expr, |$locked:ident| $do:expr) => {
            match $strength {
                Strength::KeyShare => {
                    let $locked = $query.for_key_share_of($table);
                    $do
                }
                Strength::Share => {
                    let $locked = $query.for_share_of($table);
                    $do
                }
                Strength::NoKeyUpdate => {
                    let $locked = $query.for_no_key_update_of($table);
                    $do
                }
                Strength::Update => {
                    let $locked = $query.for_update_of($table);
                    $do
                }
            }
        };
    }
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    for strength in Strength::ALL {
        let next = || parents::table.filter(parents::id.gt(2)).order(parents::id);
        let conn = session.conn();
        let picked: Vec<Parent> = at!(strength, next(), parents::table, |locked| locked.pick(1, conn)).unwrap();
        assert_eq!(picked[0].id, 3);
        let clause = format!("{} OF \"parents\" SKIP LOCKED", strength.clause());
        let sent = sent.take();
        assert!(sent.len() == 1 && sent[0].contains(&clause), "{sent:#?}");
    }
}

/// B01.
///
/// A row that others may share is not theirs alone to change: shared strengths do not compile.
#[test]
fn both_strengths_of_a_claim_are_its_clause() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    let next = || parents::table.order(parents::id).into_boxed();
    let changes = || parents::data.eq("taken");
    let strong = next().for_update_of(parents::table);
    let strong: Vec<Parent> = strong.claim(1, changes(), session.conn()).unwrap();
    let weak = next().for_no_key_update_of(parents::table);
    let weak: Vec<Parent> = weak.claim(1, changes(), session.conn()).unwrap();
    assert_eq!((strong[0].id, weak[0].id), (1, 1));
    let sent = sent.take();
    for (text, clause) in sent.iter().zip([" FOR UPDATE OF \"parents\" SKIP", " FOR NO KEY UPDATE OF \"parents\" SKIP"])
    {
        assert!(text.contains(clause), "{clause} is not in {text}");
    }
}
