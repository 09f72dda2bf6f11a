//! Queries whose answer is not a list of rows: `DISTINCT`, `GROUP BY`, `HAVING`. A set locks the rows that they choose.

use diesel::{dsl::count, prelude::*};
use diesel_lockset::{LockError, LockQueryDsl, LockSet};

use super::{Arena, Driver, Form, Set, verbs::RunLockQuery};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::Parent,
        schema::{accounts, children, parents},
    },
};

/// Grouped by the key, so that each row of the answer is a row of the table.
fn with_two_children() -> Set {
    LockSet::new().query::<Parent>(
        parents::table
            .inner_join(children::table)
            .group_by(parents::id)
            .having(count(children::id).ge(2))
            .select(parents::id),
    )
}

/// Locks each set, and says of all of them which returned or locked other rows than it should.
fn lock_exactly(forms: &[(Form, &[i32])]) {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut faults = Vec::new();
    for ((form, set), expected) in forms {
        session.begin().unwrap();
        match session.lock_set(set()) {
            Ok(locked) => {
                let ids: Vec<i32> = locked.rows::<Parent>().iter().map(|parent| parent.id).collect();
                let (held, wanted) = (arena.held_keys("parents", "id"), expected.iter().map(i32::to_string));
                if ids != *expected || held != wanted.collect::<Vec<_>>() {
                    faults.push(format!("{form}: returned {ids:?}, held {held:?}, expected {expected:?}"));
                }
            }
            Err(error) => faults.push(format!("{form}: {error:?}")),
        }
        session.rollback().unwrap();
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// I16.
#[test]
fn distinct_and_grouped_queries_in_a_set_lock_exactly_the_rows_that_they_choose() {
    let forms: [(Form, &[i32]); 7] = [
        (("distinct", || LockSet::new().query::<Parent>(parents::table.filter(parents::id.le(2)).distinct())), &[1, 2]),
        (
            ("distinct of a join", || {
                let with_children = parents::table.inner_join(children::table).select(parents::all_columns).distinct();
                LockSet::new().query::<Parent>(with_children)
            }),
            &[1, 2],
        ),
        (
            ("distinct of a join, limited", || {
                let with_children = parents::table.inner_join(children::table).select(parents::all_columns).distinct();
                LockSet::new().query::<Parent>(with_children.order(parents::id).limit(2))
            }),
            &[1, 2],
        ),
        (
            ("distinct and boxed", || {
                let with_children =
                    parents::table.inner_join(children::table).select(parents::all_columns).into_boxed();
                LockSet::new().query::<Parent>(with_children.distinct())
            }),
            &[1, 2],
        ),
        (("grouped", || LockSet::new().query::<Parent>(parents::table.group_by(parents::id))), &[1, 2, 3, 4]),
        (("grouped, with a condition on the group", with_two_children), &[1]),
        (
            ("grouped, ordered by the group and limited, beside a key", || {
                let most = parents::table.inner_join(children::table).group_by(parents::id).select(parents::id);
                LockSet::new().query::<Parent>(most.order(count(children::id).desc()).limit(1)).id::<Parent>(4)
            }),
            &[1, 4],
        ),
    ];
    lock_exactly(&forms);
}

/// I16.
#[test]
fn a_distinct_query_keeps_its_order_and_its_limit() {
    lock_exactly(&[
        (
            ("ordered by another column", || {
                LockSet::new().query::<Parent>(parents::table.filter(parents::id.le(2)).order(parents::data).distinct())
            }),
            &[1, 2],
        ),
        (
            ("limited too", || {
                LockSet::new().query::<Parent>(parents::table.distinct().order(parents::data.desc()).limit(2))
            }),
            &[2, 3],
        ),
        (
            ("distinct pairs of a join, of which the first two are of one parent", || {
                LockSet::new()
                    .query::<Parent>(parents::table.inner_join(children::table).distinct().order(parents::id).limit(2))
            }),
            &[1],
        ),
    ]);
}

/// I16.
#[test]
fn a_group_that_loses_a_row_while_the_set_waits_is_looked_at_again() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("changes parent 1 and takes one of its two children", |s| {
        s.begin().unwrap();
        s.execute("UPDATE parents SET data = 'changed' WHERE id = 1").unwrap();
        s.execute("DELETE FROM children WHERE id = 11").unwrap();
    });
    let waiting = locker.start("locks parents with two children", |s| {
        s.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
        let locked = s.lock_set(with_two_children()).unwrap();
        locked.rows::<Parent>().len()
    });
    waiting.blocked_by(&outsider);
    outsider.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), 0);
}

/// I16.
#[test]
fn a_boxed_query_that_folds_rows_is_refused_before_anything_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let distinct = || accounts::table.select(accounts::owner).into_boxed().distinct();

    let error = distinct().for_update_of(accounts::table).load::<String>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { clause: "DISTINCT", .. }), "{error:?}");
    assert!(error.to_string().contains("not possible with DISTINCT"), "{error}");
    assert!(!error.is_retryable() && !error.transaction_is_lost());

    let twice = distinct().for_share_of(accounts::table).for_update_of(accounts::table).skip_locked();
    let error = twice.get_result::<String>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");

    assert_eq!(sent.take(), [""; 0]);
    assert!(arena.held_keys("accounts", "id").is_empty());
    session.lock_by_id::<Parent>(1).unwrap();
    session.commit().unwrap();
}
