//! After the one ordered pass a set waits for nothing: a row that was deleted meanwhile may be locked all the same.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable};

use super::{Arena, Driver};
use crate::{isolation::Play, support::driver::Session};

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
fn two_sets_do_not_deadlock_over_a_row_that_is_deleted() {
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let arena = Arena::new();
        arena.execute(
            "CREATE TABLE places (id int PRIMARY KEY, kind varchar(9) NOT NULL, n int NOT NULL) ENGINE = InnoDB",
        );
        arena.execute("INSERT INTO places VALUES (20, 'q', 2), (30, 'q', 1)");
        let play = Play::<Driver>::new(&arena);
        let (holder, one, two) = (play.session("holder"), play.session("one"), play.session("two"));
        for session in [&one, &two] {
            session
                .run(level, move |s| s.execute(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")))
                .unwrap();
        }
        holder.run("deletes 30", |s| s.begin().and_then(|()| s.execute("DELETE FROM places WHERE id = 30"))).unwrap();
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
        by_key.blocked_by(&holder);
        holder.run("commits", |s| s.commit()).unwrap();
        let (by_query, by_key) = (by_query.join(), by_key.join());
        assert!(matches!(by_query, Ok(_) | Err(LockError::Moved { .. })), "{level}: {by_query:?}");
        assert_eq!(by_key.unwrap(), [20], "{level}");
    }
}
