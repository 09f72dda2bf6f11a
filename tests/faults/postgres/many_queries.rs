//! A set takes any number of queries.

use std::time::{Duration, Instant};

use diesel::{pg::Pg, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockSet, Lockable, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    many (id) {
        id -> Integer,
        v -> Text,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = many)]
struct One {
    id: i32,
    v: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = many)]
struct Short {
    id: i32,
}

type Set = LockSet<'static, Pg>;

/// Rows 1 to 20,000, all open.
fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE many (id int PRIMARY KEY, v text NOT NULL); \
         INSERT INTO many SELECT i, 'open' FROM generate_series(1, 20000) AS i; ANALYZE many",
    );
    arena
}

type Boxed = many::BoxedQuery<'static, Pg>;

/// The open row `id`; each `nth` with a limit.
fn query(id: i32, nth: i32) -> Boxed {
    let query = many::table.filter(many::id.eq(id)).filter(many::v.eq("open")).into_boxed();
    if id % nth == 0 { query.limit(1) } else { query }
}

fn ids(rows: &[One]) -> Vec<i32> {
    rows.iter().map(|row| row.id).collect()
}

#[test]
fn as_many_queries_as_are_asked_for() {
    let arena = arena();
    let conn = &mut arena.pg();
    for count in [1, 2, 100, 900, 2_000, 5_000] {
        for nth in [1, 2, i32::MAX] {
            let began = Instant::now();
            conn.transaction(|conn| {
                let set = (1..=count).fold(Set::new(), |set, id| set.query::<One>(query(id, nth)));
                let set = (10..=11).fold(set, |set, id| set.query::<Short>(query(id, nth)));
                let locked = set.id::<One>(20_000).id::<Short>(19_999).lock(conn)?;
                assert_eq!(ids(locked.rows::<One>()), (1..=count).chain([20_000]).collect::<Vec<_>>());
                let ids: Vec<i32> = locked.rows::<Short>().iter().map(|row| row.id).collect();
                assert_eq!(ids, [10, 11, 19_999]);
                Ok::<_, LockError>(())
            })
            .unwrap();
            assert!(began.elapsed() < Duration::from_secs(60), "{count} took {:?}", began.elapsed());
        }
    }
}

#[test]
fn what_leaves_while_it_is_waited_for_is_left_out_and_the_rest_is_not() {
    let arena = arena();
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    for nth in [1, 2, i32::MAX] {
        holder.run("changes", |s| {
            s.begin().unwrap();
            s.execute("UPDATE many SET v = 'gone' WHERE id = 3").unwrap();
            s.execute("UPDATE many SET v = 'gone' WHERE id = 4").unwrap();
            s.execute("UPDATE many SET v = v WHERE id BETWEEN 5 AND 8").unwrap();
        });
        let waiting = locker.start("locks", move |s| {
            s.begin().unwrap();
            let set = (1..=2_000).fold(Set::new(), |set, id| set.query::<One>(query(id, nth)));
            let found = s.lock_set(set.id::<Short>(4)).map(|mut locked| locked.take_rows::<One>());
            s.rollback().unwrap();
            found
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit().unwrap());
        let expected: Vec<i32> = (1..=2_000).filter(|id| ![3, 4].contains(id)).collect();
        assert_eq!(ids(&waiting.join().unwrap()), expected, "{nth}");
        arena.execute("UPDATE many SET v = 'open' WHERE id IN (3, 4)");
    }
}

#[test]
fn what_is_held_is_named_or_skipped() {
    let arena = arena();
    let (conn, other) = (&mut arena.pg(), &mut arena.pg());
    conn.transaction(|conn| {
        LockSet::new().ids::<One>([5, 1_000]).lock(conn)?;
        other.transaction(|other| {
            for nth in [1, 2, i32::MAX] {
                let set = || (1..=2_000).fold(Set::new(), |set, id| set.query::<One>(query(id, nth)));
                let Err(LockError::Contended { rows, .. }) = set().no_wait().name_holders().lock(other) else {
                    panic!()
                };
                let named: Vec<Option<i32>> = rows.iter().map(|row| row.key().get().copied()).collect();
                assert_eq!(named, [Some(5), Some(1_000)]);
                let locked = set().skip_locked().lock(other)?;
                assert_eq!(locked.rows::<One>().len(), 1_998);
            }
            Ok::<_, LockError>(())
        })
    })
    .unwrap();
}

#[test]
fn more_values_than_a_statement_takes_are_refused_before_anything_is_sent() {
    let arena = arena();
    let conn = &mut arena.pg();
    conn.transaction(|conn| {
        let set = (1..=700).fold(Set::new(), |set, id| {
            let query = (1..=100).fold(query(id, 2), |query, other| query.filter(many::id.ne(-other)));
            set.query::<One>(query)
        });
        let error = set.lock(conn).unwrap_err();
        assert!(error.to_string().contains("65,535"), "{error}");
        assert_eq!(One::lock_by_id(1, conn)?.id, 1);
        Ok::<_, LockError>(())
    })
    .unwrap();
}
