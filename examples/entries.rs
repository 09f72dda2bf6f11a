//! The oldest, or the newest, pending entry of a day and a type, for several workers at once.
//!
//! The day is in one table, the name of the type in another, so the query joins them; but only the entry is work. Diesel's
//! own `for_update().skip_locked()` locks every table of the join: the first worker takes the event's row along, and the
//! second one, whose entries are of the same event, is told that there is nothing to do. Nor does a third one get them.
//!
//! Run it with `cargo run --features postgres --example entries`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example entries_on_mysql`; `cargo xtask test -- pick_next_entry` runs both.

mod shared;

use chrono::{NaiveDate, NaiveDateTime};
use diesel::{
    connection::SimpleConnection,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result};

diesel::table! {
    events (id) { id -> Integer, date -> Date, }
}
diesel::table! {
    entry_types (id) { id -> Integer, name -> Text, }
}
diesel::table! {
    entries (id) { id -> Integer, status -> Text, created_at -> Timestamp, event_id -> Integer, type_id -> Integer, }
}
diesel::joinable!(entries -> events (event_id));
diesel::joinable!(entries -> entry_types (type_id));
diesel::allow_tables_to_appear_in_same_query!(events, entry_types, entries);

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = entries)]
struct Entry {
    id: i32,
    created_at: NaiveDateTime,
    event_id: i32,
}

#[derive(Debug, Clone, Copy)]
enum First {
    Oldest,
    Newest,
}

/// The first pending entry that nobody else holds. It is this transaction's until the transaction ends.
///
/// The order ends in the key: entries may be of the same moment, and without it which of them comes first is anybody's
/// guess. Boxed, because the direction is known only now; both directions read the same index, one of them backwards.
fn next_entry(conn: &mut Conn, date: NaiveDate, type_name: &str, first: First) -> Result<Option<Entry>, LockError> {
    let pending = entries::table
        .inner_join(events::table)
        .inner_join(entry_types::table)
        .filter(entries::status.eq("pending"))
        .filter(events::date.eq(date))
        .filter(entry_types::name.eq(type_name))
        .into_boxed();
    let pending = match first {
        First::Oldest => pending.order((entries::created_at.asc(), entries::id.asc())),
        First::Newest => pending.order((entries::created_at.desc(), entries::id.desc())),
    };
    pending.pick_next(conn)
}

/// The same with Diesel's own clause, which has no `OF`: the event and the type are locked too.
fn next_entry_and_all_it_hangs_on(conn: &mut Conn, date: NaiveDate, type_name: &str) -> QueryResult<Option<Entry>> {
    entries::table
        .inner_join(events::table)
        .inner_join(entry_types::table)
        .filter(entries::status.eq("pending"))
        .filter(events::date.eq(date))
        .filter(entry_types::name.eq(type_name))
        .order((entries::created_at, entries::id))
        .limit(1)
        .select(Entry::as_select())
        .for_update()
        .skip_locked()
        .first(conn)
        .optional()
}

const TABLES: &str = "
    CREATE TABLE events (id int PRIMARY KEY, date date NOT NULL);
    CREATE TABLE entry_types (id int PRIMARY KEY, name varchar(40) NOT NULL UNIQUE);
    CREATE TABLE entries (id int PRIMARY KEY, status varchar(20) NOT NULL, created_at timestamp NOT NULL,
        event_id int NOT NULL REFERENCES events (id), type_id int NOT NULL REFERENCES entry_types (id));
    CREATE INDEX events_of_the_day ON events (date);
    CREATE INDEX entries_next ON entries (event_id, type_id, status, created_at, id);
    INSERT INTO events VALUES (1, '2026-05-01'), (2, '2026-05-02');
    INSERT INTO entry_types VALUES (1, 'Premium'), (2, 'Standard');
    INSERT INTO entries VALUES
        (1, 'done',    '2026-04-01 08:00', 1, 1),
        (2, 'pending', '2026-04-01 10:00', 1, 1), -- of the same moment as 3
        (3, 'pending', '2026-04-01 10:00', 1, 1),
        (4, 'pending', '2026-04-01 12:00', 1, 1),
        (5, 'pending', '2026-04-01 07:00', 1, 2), -- another type
        (6, 'pending', '2026-04-01 07:00', 2, 1); -- another day";

const PREMIUM: &str = "Premium";

fn main() -> Result<()> {
    let database = Database::create("entries")?;
    let [ada, bob, plain] = &mut [database.connect()?, database.connect()?, database.connect()?];
    ada.batch_execute(TABLES)?;
    let day = NaiveDate::from_ymd_opt(2026, 5, 1).ok_or("there is such a day")?;

    println!("pick_next, which locks the entry only:");
    ada.transaction(|ada| bob.transaction(|bob| two_workers(ada, bob, plain, day)))?;
    println!("Diesel's for_update() on the same join, which locks all:");
    ada.transaction(|ada| bob.transaction(|bob| two_workers_without_of(ada, bob, plain, day)))
}

/// Both transactions are open; one has its entry while the other asks.
fn two_workers(ada: &mut Conn, bob: &mut Conn, plain: &mut Conn, day: NaiveDate) -> Result<()> {
    let oldest = next_entry(ada, day, PREMIUM, First::Oldest)?.ok_or("Ada should have an entry")?;
    println!("  Ada asks for the oldest and has entry {} of {}", oldest.id, oldest.created_at);
    let newest = next_entry(bob, day, PREMIUM, First::Newest)?.ok_or("Bob should have an entry")?;
    println!("  Bob asks for the newest and has entry {} of {}", newest.id, newest.created_at);
    assert_eq!([oldest.id, newest.id], [2, 4]);

    let (third, event) = (lock_entry(plain, 3)?, lock_event(plain, oldest.event_id)?);
    println!("  to a third session entry 3 is {third}, and event {}, which all are of, is {event}", oldest.event_id);
    assert_eq!([third, event], [Found::Free, Found::Free]);
    let theirs = [lock_entry(plain, oldest.id)?, lock_entry(plain, newest.id)?];
    println!("  entries {} and {} are {} and {}", oldest.id, newest.id, theirs[0], theirs[1]);
    assert_eq!(theirs, [Found::Held, Found::Held]);

    // Nobody skips a row of his own. Who wants a second one, and not the first one again, has to mark the first one.
    let second = next_entry(bob, day, PREMIUM, First::Oldest)?.map(|entry| entry.id);
    let again = next_entry(ada, day, PREMIUM, First::Newest)?.map(|entry| entry.id);
    println!("  Bob asks for the oldest and has {second:?}; Ada asks for the newest and has her own again: {again:?}");
    assert_eq!((second, again), (Some(3), Some(oldest.id)));
    Ok(())
}

fn two_workers_without_of(ada: &mut Conn, bob: &mut Conn, plain: &mut Conn, day: NaiveDate) -> Result<()> {
    let first = next_entry_and_all_it_hangs_on(ada, day, PREMIUM)?.ok_or("Ada should have an entry")?;
    println!("  Ada has entry {}", first.id);
    let second = next_entry_and_all_it_hangs_on(bob, day, PREMIUM)?.map(|entry| entry.id);
    println!("  Bob has {second:?}");
    assert_eq!((first.id, second), (2, None));

    // PostgreSQL locks row by row, the entry first: Bob has locked what he cannot have, and does not let go of it. MySQL
    // and MariaDB lock whatever they sort: Ada has locked all.
    let (event, entries) = (lock_event(plain, first.event_id)?, [lock_entry(plain, 3)?, lock_entry(plain, 4)?]);
    println!(
        "  event {} is {event}, and entries 3 and 4, which Bob was not given, are {} and {}",
        first.event_id, entries[0], entries[1]
    );
    assert_eq!((event, entries), (Found::Held, [Found::Held, Found::Held]));
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    Free,
    Held,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Found::Free { "free" } else { "held" })
    }
}

fn lock_entry(plain: &mut Conn, id: i32) -> QueryResult<Found> {
    found(entries::table.find(id).select(entries::id).for_update().no_wait().first(plain))
}

fn lock_event(plain: &mut Conn, id: i32) -> QueryResult<Found> {
    found(events::table.find(id).select(events::id).for_update().no_wait().first(plain))
}

/// `FOR UPDATE NOWAIT` outside of a transaction: whether it could be locked is all that is left of it. Diesel has no kind of
/// its own for "could not obtain lock", so it is the unknown one.
fn found(locked: QueryResult<i32>) -> QueryResult<Found> {
    match locked {
        Ok(_) => Ok(Found::Free),
        Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) => Ok(Found::Held),
        Err(error) => Err(error),
    }
}

#[test]
fn pick_next_entry_example() -> Result<()> {
    main()
}
