//! A room that thirty-two people want to book for the same evening, in a table without a unique index.
//!
//! Whether the evening is free is seen by looking for a booking, and a row that does not exist cannot be locked. So whoever
//! wants to book takes the advisory lock of the room and the evening first, in one set with the rows that the booking needs,
//! looks, and inserts.
//!
//! On MySQL and MariaDB an advisory lock does not end with the transaction and cannot be part of a set: there,
//! `AdvisoryLock::hold` takes it and then begins the transaction.
//!
//! Run it with `cargo run --features postgres --example booking`; `cargo xtask test -- booking` runs it too, there and on
//! MariaDB.

#![allow(unexpected_cfgs, reason = "the package `examples_on_mysql` has no feature `postgres`")]

mod shared;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use diesel::{
    connection::SimpleConnection,
    dsl::{exists, select},
    prelude::*,
};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result, until, waiting};

diesel::table! {
    guests (id) { id -> Integer, name -> Text, nights -> Integer, }
}
diesel::table! {
    bookings (id) { id -> Integer, room -> Integer, evening -> Text, guest_id -> Integer, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = guests)]
struct Guest {
    id: i32,
    nights: i32,
}

const SESSIONS: usize = 32;

#[derive(Debug, Clone, Copy)]
enum Guard {
    None,
    Advisory,
}

/// Books the room, or says that it is taken. `meanwhile` is what others do between the look and the insert.
fn book(
    conn: &mut Conn,
    (room, evening): (i32, &str),
    guest: i32,
    guard: Guard,
    meanwhile: impl FnOnce(&mut Conn) -> Result<()>,
) -> Result<bool> {
    let work = |conn: &mut Conn, set: Set<'_>| {
        let locked = set.id::<Guest>(guest).lock(conn)?;
        let guest: &Guest = locked.id(guest)?;
        let of_the_evening = bookings::table.filter(bookings::room.eq(room)).filter(bookings::evening.eq(evening));
        let taken: bool = select(exists(of_the_evening)).get_result(conn)?;
        meanwhile(conn)?;
        if taken {
            return Ok(false);
        }
        diesel::insert_into(bookings::table)
            .values((bookings::room.eq(room), bookings::evening.eq(evening), bookings::guest_id.eq(guest.id)))
            .execute(conn)?;
        diesel::update(guests::table.find(guest.id)).set(guests::nights.eq(guest.nights + 1)).execute(conn)?;
        Ok(true)
    };
    match guard {
        Guard::None => conn.transaction(|conn| work(conn, LockSet::new())),
        Guard::Advisory => in_turn(conn, AdvisoryLock::named(&format!("room {room}")).scope(evening), work),
    }
}

type Set<'a> = LockSet<'a, <Conn as Connection>::Backend>;

/// A transaction that nobody else runs at the same time for the same name. The look must come behind the lock: one from before
/// it would be as old as the wait for it.
#[cfg(feature = "postgres")]
fn in_turn<R>(conn: &mut Conn, name: AdvisoryLock, work: impl FnOnce(&mut Conn, Set<'_>) -> Result<R>) -> Result<R> {
    conn.transaction(|conn| work(conn, LockSet::new().advisory(name)))
}

#[cfg(not(feature = "postgres"))]
fn in_turn<R>(conn: &mut Conn, name: AdvisoryLock, work: impl FnOnce(&mut Conn, Set<'_>) -> Result<R>) -> Result<R> {
    name.hold(conn, |conn| work(conn, LockSet::new()))
}

/// All of them at once; how many have a booking afterwards.
fn rush(database: &Database, room: i32, guard: Guard) -> Result<usize> {
    let looked = AtomicUsize::new(0);
    let booked = database.at_once(SESSIONS, |session, conn| {
        let guest = i32::try_from(session)? + 1;
        book(conn, (room, "2026-12-31"), guest, guard, |conn| {
            looked.fetch_add(1, SeqCst);
            // The worst moment, made certain and asked of the server: everybody else has looked too, or waits for the name.
            Ok(until("everybody has come", || Ok(looked.load(SeqCst) + waiting(conn)? >= SESSIONS))?)
        })
    })?;
    Ok(booked.into_iter().filter(|booked| *booked).count())
}

fn main() -> Result<()> {
    let database = Database::create("booking")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(
        "CREATE TABLE guests (id int PRIMARY KEY, name text NOT NULL, nights int NOT NULL);
         CREATE TABLE bookings (id serial PRIMARY KEY, room int NOT NULL, evening text NOT NULL, guest_id int NOT NULL)",
    )?;
    for n in 1..=i32::try_from(SESSIONS)? {
        let guest = (guests::id.eq(n), guests::name.eq(format!("guest {n}")), guests::nights.eq(0));
        diesel::insert_into(guests::table).values(guest).execute(conn)?;
    }

    let booked = rush(&database, 1, Guard::None)?;
    println!("without the lock: {SESSIONS} want room 1, {booked} have it");
    assert!(booked > 1, "without the lock several find the room free");

    let booked = rush(&database, 2, Guard::Advisory)?;
    println!("with the lock:    {SESSIONS} want room 2, {booked} has it");
    assert_eq!(booked, 1, "with the lock exactly one books");
    let nights: i64 = bookings::table.filter(bookings::room.eq(2)).count().get_result(conn)?;
    assert_eq!(nights, 1);
    Ok(())
}

#[test]
fn booking_with_an_advisory_lock_example() -> Result<()> {
    main()
}
