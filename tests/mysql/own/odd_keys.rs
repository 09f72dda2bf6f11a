//! Keys of types with traps, and keys that change.

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_lockset::{LockError, LockSet, Lockable};

use super::{Arena, Driver, verbs::PickDsl};
use crate::support::{
    driver::Session,
    models::Order,
    schema::{customers, orders},
};

diesel::table! {
    readings (at) {
        at -> Timestamp,
        status -> Text,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = readings, primary_key(at))]
struct Reading {
    at: chrono::NaiveDateTime,
    status: String,
}

diesel::table! {
    people (name) {
        name -> Text,
        status -> Text,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = people, primary_key(name))]
struct Person {
    name: String,
    status: String,
}

/// J11.
///
/// MariaDB finds only some of the rows of a list of parameters.
#[test]
fn timestamps_are_all_found_and_all_claimed() {
    for column in ["timestamp", "timestamp(6)", "datetime(6)"] {
        let arena = Arena::new();
        arena.execute(&format!(
            "CREATE TABLE readings (at {column} NOT NULL PRIMARY KEY, status varchar(9) NOT NULL) ENGINE = InnoDB"
        ));
        let rows: Vec<String> = (0..20).map(|i| format!("('2026-01-02 03:{i:02}:00', 'NEW')")).collect();
        arena.execute(&format!("INSERT INTO readings VALUES {}", rows.join(", ")));
        let mut session = Driver::connect(arena.url());
        let order = (readings::status, readings::at.desc());
        let claimed: Vec<Reading> =
            readings::table.order(order).claim(20, readings::status.eq("DONE"), session.conn()).unwrap();
        assert_eq!(claimed.iter().filter(|reading| reading.status == "DONE").count(), 20, "{column}");
        assert_eq!(arena.number("SELECT COUNT(*) FROM readings WHERE status = 'DONE'"), 20, "{column}");
        session.begin().unwrap();
        let keys: Vec<_> = claimed.iter().map(|reading| reading.at).collect();
        let locked = session.lock_set(LockSet::new().ids::<Reading>(keys)).unwrap();
        assert_eq!(locked.rows::<Reading>().len(), 20, "{column}");
    }
}

/// J11.
#[test]
fn a_claim_that_spells_a_key_anew_changes_nothing() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE people (name varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, \
         status varchar(9) NOT NULL) ENGINE = InnoDB; INSERT INTO people VALUES ('ada', 'NEW')",
    );
    let mut session = Driver::connect(arena.url());
    let changes = (people::name.eq("ADA"), people::status.eq("DONE"));
    let claimed: Result<Vec<Person>, _> = people::table.claim(1, changes, session.conn());
    assert!(matches!(claimed, Err(LockError::Unsupported { .. })), "{claimed:?}");
    assert_eq!(arena.number("SELECT COUNT(*) FROM people WHERE BINARY name = 'ada' AND status = 'NEW'"), 1);
}

/// J02.
///
/// The rows that are locked must not stand in place of the whole table for it.
#[test]
fn raw_sql_may_look_into_the_table_itself() {
    let arena = Arena::new();
    arena.execute("INSERT INTO orders (id, customer_id, status) VALUES (40, 1, 'open'), (41, 1, 'paid')");
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let after_a_paid_one = || {
        let earlier = sql::<Bool>("EXISTS (SELECT 1 FROM orders e WHERE e.id = orders.id + 1 AND e.status = 'paid')");
        orders::table.inner_join(customers::table).filter(orders::status.eq("open")).filter(earlier)
    };
    let ids: Vec<i64> = after_a_paid_one().order(orders::id).select(orders::id).load(session.conn()).unwrap();
    assert!(ids.contains(&40), "{ids:?}");
    let picked: Vec<Order> = after_a_paid_one().order(orders::id).pick(9, session.conn()).unwrap();
    assert_eq!(picked.iter().map(|order| order.id).collect::<Vec<_>>(), ids);
    let locked = session.lock_set(LockSet::new().query::<Order>(after_a_paid_one().into_boxed())).unwrap();
    assert_eq!(locked.rows::<Order>().iter().map(|order| order.id).collect::<Vec<_>>(), ids);
}
