//! A row of a join is one of its rows when it is locked, not as it was when the statement began.

use diesel::{PgConnection, connection::SimpleConnection, prelude::*, sql_types::Integer};
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    chairs (id) {
        id -> Integer,
        room_id -> Integer,
        state -> Text,
    }
}

diesel::table! {
    rooms (id) {
        id -> Integer,
        open -> Bool,
    }
}

diesel::table! {
    badges (id) {
        id -> Integer,
        chair_id -> Integer,
    }
}

diesel::joinable!(chairs -> rooms (room_id));
diesel::joinable!(badges -> chairs (chair_id));
diesel::allow_tables_to_appear_in_same_query!(chairs, rooms, badges);

diesel::define_sql_function! {
    /// Waits as long as somebody holds advisory lock 1.
    fn may_pass(id: Integer) -> Bool;
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = chairs)]
struct Chair {
    id: i32,
    state: String,
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE rooms (id int PRIMARY KEY, open bool NOT NULL);
         CREATE TABLE chairs (id int PRIMARY KEY, room_id int NOT NULL REFERENCES rooms, state text NOT NULL);
         CREATE TABLE badges (id int PRIMARY KEY, chair_id int NOT NULL);
         INSERT INTO rooms SELECT i, true FROM generate_series(1, 3) AS i;
         INSERT INTO chairs SELECT i, i, 'free' FROM generate_series(1, 3) AS i;
         INSERT INTO badges SELECT i, 1 + i % 3 FROM generate_series(1, 6) AS i;
         CREATE FUNCTION may_pass(id int) RETURNS bool STABLE LANGUAGE plpgsql AS
           $$BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END$$",
    );
    arena
}

type Ask = fn(&mut PgConnection) -> Result<Vec<Chair>, LockError>;

fn in_open_rooms(conn: &mut PgConnection) -> Result<Vec<Chair>, LockError> {
    let query = chairs::table.inner_join(rooms::table).filter(rooms::open);
    Ok(LockSet::new().query::<Chair>(query).lock(conn)?.take_rows())
}

fn first_two_in_open_rooms(conn: &mut PgConnection) -> Result<Vec<Chair>, LockError> {
    let query = chairs::table.inner_join(rooms::table).filter(rooms::open).order(chairs::id).limit(2);
    Ok(LockSet::new().query::<Chair>(query).lock(conn)?.take_rows())
}

fn by_partner_first(conn: &mut PgConnection) -> Result<Vec<Chair>, LockError> {
    let query = rooms::table.inner_join(chairs::table).filter(rooms::open).filter(chairs::state.eq("free"));
    Ok(LockSet::new().query::<Chair>(query).lock(conn)?.take_rows())
}

/// F1.
#[test]
fn a_partner_that_changes_while_a_row_is_waited_for_is_seen_by_a_set() {
    let ways: [(&str, Ask, &[i32]); 3] = [
        ("all", in_open_rooms, &[1, 3]),
        ("limited", first_two_in_open_rooms, &[1, 3]),
        ("from the partner's side", by_partner_first, &[1, 3]),
    ];
    for (way, ask, expected) in ways {
        let arena = arena();
        let play = Play::<Blocking>::new(&arena);
        let (holder, waiter) = (play.session("holder"), play.session("waiter"));
        holder.run("holds a chair", |s| {
            s.conn().batch_execute("BEGIN; SELECT FROM chairs WHERE id = 2 FOR UPDATE").unwrap()
        });
        let asking = waiter.start(way, move |s| {
            s.begin().unwrap();
            let ids = ask(s.conn()).unwrap().iter().map(|chair| chair.id).collect::<Vec<_>>();
            s.rollback().unwrap();
            ids
        });
        asking.blocked_by(&holder);
        holder.run("closes the room", |s| {
            s.conn().batch_execute("UPDATE rooms SET open = false WHERE id = 2; COMMIT").unwrap()
        });
        assert_eq!(asking.join(), expected, "{way}");
    }
}

/// F1.
#[test]
fn a_partner_that_changes_before_a_row_is_locked_is_seen_by_picks_and_claims() {
    #[diesel::dsl::auto_type]
    fn open() -> _ {
        chairs::table.inner_join(rooms::table).filter(rooms::open).filter(may_pass(chairs::id)).order(chairs::id)
    }
    let ways: [(&str, Ask); 2] =
        [("pick", |conn| open().pick(2, conn)), ("claim", |conn| open().claim(2, chairs::state.eq("taken"), conn))];
    for (way, ask) in ways {
        let arena = arena();
        let play = Play::<Blocking>::new(&arena);
        let (gate, worker) = (play.session("gate"), play.session("worker"));
        gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)")).unwrap();
        let asking = worker.start(way, move |s| {
            s.begin().unwrap();
            let ids = ask(s.conn()).unwrap().iter().map(|chair| chair.id).collect::<Vec<_>>();
            s.commit().unwrap();
            ids
        });
        asking.blocked_by(&gate);
        arena.execute("UPDATE rooms SET open = false WHERE id = 1");
        gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)")).unwrap();
        assert_eq!(asking.join(), [2, 3], "{way}");
    }
}

/// F1.
#[test]
fn a_row_that_a_join_repeats_comes_once() {
    let arena = arena();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let ids = |rows: Vec<Chair>| rows.iter().map(|chair| chair.id).collect::<Vec<_>>();
    let tagged = || chairs::table.inner_join(badges::table);
    let mut locked = LockSet::new().query::<Chair>(tagged()).lock(session.conn()).unwrap();
    assert_eq!(ids(locked.take_rows()), [1, 2, 3]);
    let mut locked = LockSet::new().query::<Chair>(tagged()).id::<Chair>(2).lock(session.conn()).unwrap();
    assert_eq!(ids(locked.take_rows()), [1, 2, 3]);
    assert_eq!(ids(tagged().order(chairs::id.desc()).pick(4, session.conn()).unwrap()), [3, 2]);
    let claimed = tagged().order(chairs::id.desc()).claim(4, chairs::state.eq("taken"), session.conn()).unwrap();
    assert_eq!(ids(claimed), [3, 2]);
}
