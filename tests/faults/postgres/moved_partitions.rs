//! Rows that move to another partition while they are waited for: the server does not follow them there, at any isolation level.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types::Bool};
use diesel_lockset::{
    LockDsl, LockError, LockQueryDsl, LockSet, LockTransaction, Lockable, PickDsl, RunLockQuery, RunLockSet,
    RunLockTransaction,
};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    parcels (id, depot) {
        id -> Integer,
        depot -> Integer,
        weight -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = parcels, primary_key(id, depot))]
struct Parcel {
    id: i32,
    depot: i32,
    weight: i32,
}

/// The ways to lock parcel 1 of depot 1, where it is waited for.
const WAITS: [(&str, fn(&mut PgConnection) -> Result<usize, LockError>); 4] = [
    ("key", |conn| Parcel::lock_by_id((1, 1), conn).map(|_| 1)),
    ("set by key", |conn| Ok(LockSet::new().ids::<Parcel>([(1, 1), (2, 1)]).lock(conn)?.rows::<Parcel>().len())),
    ("set by query", |conn| {
        Ok(LockSet::new()
            .query::<Parcel>(parcels::table.filter(parcels::weight.eq(5_i32)))
            .lock(conn)?
            .rows::<Parcel>()
            .len())
    }),
    ("single query", |conn| {
        let query = parcels::table.filter(parcels::weight.eq(5_i32)).for_update_of(parcels::table);
        Ok(RunLockQuery::load::<Parcel>(query, conn)?.len())
    }),
];

fn depots() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE parcels (id int, depot int, weight int NOT NULL, PRIMARY KEY (id, depot)) PARTITION BY LIST (depot);
         CREATE TABLE parcels_1 PARTITION OF parcels FOR VALUES IN (1);
         CREATE TABLE parcels_2 PARTITION OF parcels FOR VALUES IN (2);
         INSERT INTO parcels VALUES (1, 1, 5), (2, 1, 6)",
    );
    arena
}

const MOVES: &str = "UPDATE parcels SET depot = 2 WHERE id = 1";

/// The text is true of the transaction: it has no snapshot that could be too old.
fn says_what_happened(error: &LockError) {
    assert!(matches!(error, LockError::Serialization { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("another transaction changed a row that this one had read or was about to lock"), "{text}");
    assert!(text.contains("run all of it again"), "{text}");
}

#[test]
fn a_row_that_moves_while_it_is_waited_for_is_locked_where_it_is_by_another_try() {
    for (way, lock) in WAITS {
        let arena = depots();
        let play = Play::<Blocking>::new(&arena);
        let (holder, waiter) = (play.session("holder"), play.session(way));
        holder.run("moves it", |s| s.begin().and_then(|()| s.execute(MOVES))).unwrap();
        let waiting = waiter.start(way, move |s| {
            let (mut tries, mut errors) = (0, Vec::new());
            let done = LockTransaction::new().before_retry(|error, _| {
                errors.push(error.to_string());
                says_what_happened(error.downcast_ref().unwrap());
            });
            let done = done.run(s.conn(), |conn| {
                tries += 1;
                lock(conn)
            });
            (done.map_err(|error| error.to_string()), tries)
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit()).unwrap();
        let (done, tries) = waiting.join();
        assert_eq!(tries, 2, "{way}: {done:?}");
        // By its old key the parcel is not there any more.
        let expected = if way.contains("key") { Err(()) } else { Ok(1) };
        assert_eq!(done.clone().map_err(drop), expected, "{way}: {done:?}");
        assert!(done.is_ok() || done.unwrap_err().contains("does not exist"), "{way}");
    }
}

/// A parcel of weight 5, which the statement looks at as long as somebody holds advisory lock 1.
#[diesel::dsl::auto_type]
fn slowly() -> _ {
    let stop: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("(pg_advisory_lock_shared(1) IS NOT NULL)");
    parcels::table.filter(parcels::weight.eq(5_i32)).filter(stop).order(parcels::id)
}

/// A pick and a claim wait for no row; it moves between the choice and the lock.
#[test]
fn a_row_that_moves_while_it_is_picked_is_picked_where_it_is_by_another_try() {
    let takes: [(&str, fn(&mut PgConnection) -> Result<Vec<Parcel>, LockError>); 2] =
        [("pick", |conn| slowly().pick(1, conn)), ("claim", |conn| slowly().claim(1, parcels::weight.eq(7), conn))];
    for (way, take) in takes {
        let arena = depots();
        let play = Play::<Blocking>::new(&arena);
        let (gate, worker) = (play.session("gate"), play.session(way));
        gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)")).unwrap();
        let taking = worker.start(way, move |s| {
            let mut tries = 0;
            let done = LockTransaction::new()
                .before_retry(|error, _| says_what_happened(error.downcast_ref().unwrap()))
                .run(s.conn(), |conn| {
                    tries += 1;
                    take(conn)
                });
            (done.map_err(|error| error.to_string()), tries)
        });
        taking.blocked_by(&gate);
        arena.execute(MOVES);
        gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)")).unwrap();
        let (done, tries) = taking.join();
        let weight = if way == "claim" { 7 } else { 5 };
        assert_eq!((done, tries), (Ok(vec![Parcel { id: 1, depot: 2, weight }]), 2), "{way}");
    }
}
