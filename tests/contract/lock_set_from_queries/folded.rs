//! Queries whose answer is not a list of rows: `DISTINCT`, `GROUP BY`, `HAVING`. A set locks the rows that they choose.

use diesel::{dsl::count, prelude::*};
use diesel_lockset::LockSet;

use super::{Arena, Driver, Form, Set};
use crate::support::{
    driver::Session,
    models::Parent,
    schema::{children, parents},
};

/// Grouped by the key, so that each row of the answer is a row of the table.
pub(super) fn with_two_children() -> Set {
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
                let wanted: Vec<_> = expected.iter().map(i32::to_string).collect();
                let held = arena.held_keys("parents", "id");
                if ids != *expected || !Arena::holds(&held, &wanted) {
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
