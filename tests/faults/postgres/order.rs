//! After the one ordered pass a set waits for nothing: a row that did not come back may be locked all the same, wherever it is now.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    places (id) {
        id -> Integer,
        kind -> Text,
        n -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = places)]
struct Place {
    id: i32,
    kind: String,
    n: i32,
}

#[test]
fn a_limited_query_that_goes_on_to_another_row_does_not_wait_for_it() {
    for change in ["DELETE FROM places WHERE id = 30", "UPDATE places SET id = 125, kind = 'x' WHERE id = 30"] {
        // The row that takes the place may stand before what was waited for, or behind it.
        for other in [20, 40] {
            let arena = Arena::new();
            arena.execute(&format!(
                "CREATE TABLE places (id int PRIMARY KEY, kind text NOT NULL, n int NOT NULL);
                 INSERT INTO places VALUES ({other}, 'q', 2), (30, 'q', 1)"
            ));
            let play = Play::<Blocking>::new(&arena);
            let (holder, other_holder) = (play.session("holder"), play.session("other holder"));
            let locker = play.session("locker");
            holder.run("changes 30", |s| s.begin().and_then(|()| s.execute(change))).unwrap();
            let next = move || places::table.filter(places::kind.eq("q")).order(places::n).limit(1);
            let locking = locker.start("locks the next", move |s| {
                s.begin().unwrap();
                let locked = s.lock_set(LockSet::new().query::<Place>(next()));
                s.rollback().unwrap();
                locked.map(|locked| locked.rows::<Place>().to_vec())
            });
            locking.blocked_by(&holder);
            other_holder
                .run("holds the other", move |s| {
                    s.begin()?;
                    s.execute(&format!("SELECT FROM places WHERE id = {other} FOR UPDATE"))
                })
                .unwrap();
            holder.run("commits", |s| s.commit()).unwrap();
            let locked = locking.join();
            assert!(matches!(locked, Err(LockError::Moved { .. })), "{change}, {other}: {locked:?}");
            other_holder.run("lets go", |s| s.rollback()).unwrap();

            // What is free is taken.
            let rows = locker.run("tries again", move |s| {
                s.begin().unwrap();
                s.lock_set(LockSet::new().query::<Place>(next())).map(|locked| locked.rows::<Place>().to_vec())
            });
            assert_eq!(rows.unwrap(), [Place { id: other, kind: "q".into(), n: 2 }], "{change}");
        }
    }
}

#[test]
fn two_sets_do_not_deadlock_over_a_row_that_goes_away() {
    for change in ["DELETE FROM places WHERE id = 30", "UPDATE places SET id = 125, kind = 'x' WHERE id = 30"] {
        let arena = Arena::new();
        arena.execute(
            "CREATE TABLE places (id int PRIMARY KEY, kind text NOT NULL, n int NOT NULL);
             INSERT INTO places VALUES (20, 'q', 2), (30, 'q', 1)",
        );
        let play = Play::<Blocking>::new(&arena);
        let (holder, one, two) = (play.session("holder"), play.session("one"), play.session("two"));
        holder.run("changes 30", |s| s.begin().and_then(|()| s.execute(change))).unwrap();
        let by_query = one.start("locks by query", |s| {
            s.begin().unwrap();
            let next = places::table.filter(places::kind.eq("q")).order(places::n).limit(1);
            let locked = s.lock_set(LockSet::new().query::<Place>(next));
            s.rollback().unwrap();
            locked.map(|locked| locked.rows::<Place>().to_vec())
        });
        by_query.blocked_by(&holder);
        let by_key = two.start("locks by key", |s| {
            s.begin().unwrap();
            let locked = s.lock_set(LockSet::new().ids::<Place>([20, 30]).allow_missing());
            s.rollback().unwrap();
            locked.map(|locked| locked.rows::<Place>().iter().map(|place| place.id).collect::<Vec<_>>())
        });
        by_key.blocked_by(&one);
        holder.run("commits", |s| s.commit()).unwrap();
        let (by_query, by_key) = (by_query.join(), by_key.join());
        assert!(matches!(by_query, Ok(_) | Err(LockError::Moved { .. })), "{change}: {by_query:?}");
        assert_eq!(by_key.unwrap(), [20], "{change}");
    }
}
