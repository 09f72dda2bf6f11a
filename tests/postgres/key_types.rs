//! Keys that need PostgreSQL: its own column types, many columns, and values that the server stores otherwise than sent.

use std::io::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    prelude::*,
    serialize::{self, IsNull, Output, ToSql},
};
use diesel_lockset::{LockError, LockSet, Lockable};
use uuid::Uuid;

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::TicketNumber,
};

mod schema {
    #[derive(diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
    #[diesel(postgres_type(name = "mood"))]
    #[allow(unreachable_pub, missing_debug_implementations, reason = "`table!` exports what it names")]
    pub struct MoodType;

    diesel::table! {
        moments (at) {
            at -> Timestamptz,
            note -> Text,
        }
    }

    diesel::table! {
        use diesel::sql_types::{Integer, Text};
        use super::MoodType;

        moods (mood) {
            mood -> MoodType,
            note -> Text,
        }
    }

    diesel::table! {
        visits (place, day, ticket, vip) {
            place -> Uuid,
            day -> Date,
            ticket -> Integer,
            vip -> Bool,
            note -> Text,
        }
    }

    diesel::table! {
        cells (a, b, c, d, e, f, g, h) {
            a -> SmallInt,
            b -> Integer,
            c -> BigInt,
            d -> Text,
            e -> Uuid,
            f -> Binary,
            g -> Date,
            h -> Bool,
        }
    }
}

use schema::{MoodType, cells, moments, moods, visits};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = MoodType)]
enum Mood {
    Glad,
    Sad,
}

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(if *self == Mood::Glad { b"glad" } else { b"sad" })?;
        Ok(IsNull::No)
    }
}

impl FromSql<MoodType, Pg> for Mood {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(if value.as_bytes() == b"glad" { Mood::Glad } else { Mood::Sad })
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = moments, primary_key(at))]
struct Moment {
    at: DateTime<Utc>,
    note: String,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = moods, primary_key(mood))]
struct Feeling {
    mood: Mood,
    note: String,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = visits, primary_key(place, day, ticket, vip))]
struct Visit {
    place: Uuid,
    day: NaiveDate,
    ticket: TicketNumber,
    vip: bool,
    note: String,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = cells, primary_key(a, b, c, d, e, f, g, h))]
struct Cell {
    a: i16,
    b: i32,
    c: i64,
    d: String,
    e: Uuid,
    f: Vec<u8>,
    g: NaiveDate,
    h: bool,
}

/// R07.
#[test]
fn an_enum_of_the_database_is_a_key() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); \
         CREATE TABLE moods (mood mood PRIMARY KEY, note text NOT NULL); \
         INSERT INTO moods VALUES ('glad', 'a'), ('sad', 'b')",
    );
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().ids::<Feeling>([Mood::Glad, Mood::Sad])).unwrap();
    let notes: Vec<&str> = locked.rows::<Feeling>().iter().map(|feeling| feeling.note.as_str()).collect();
    assert_eq!(notes, ["b", "a"], "in the order of the server");
    assert_eq!(arena.held_keys("moods", "mood"), ["glad", "sad"]);
    session.rollback().unwrap();

    session.begin().unwrap();
    session.execute("DELETE FROM moods WHERE mood = 'sad'").unwrap();
    let error = session.lock_by_id::<Feeling>(Mood::Sad).unwrap_err();
    assert!(error.to_string().starts_with("Feeling Sad does not exist"), "{error}");
}

/// R02, R07.
#[test]
fn keys_of_four_and_of_eight_columns() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE visits (place uuid, day date, ticket int, vip bool, note text NOT NULL, \
             PRIMARY KEY (place, day, ticket, vip)); \
         INSERT INTO visits SELECT p::text::uuid, d, t, v, concat_ws(' ', d, t, v) \
             FROM (VALUES ('00000000-0000-0000-0000-000000000001')) AS p (p), \
                  (VALUES (date '2026-01-01'), ('2026-01-02')) AS d (d), \
                  generate_series(1, 2) AS t, (VALUES (true), (false)) AS v (v); \
         CREATE TABLE cells (a smallint, b int, c bigint, d text, e uuid, f bytea, g date, h bool, \
             PRIMARY KEY (a, b, c, d, e, f, g, h)); \
         INSERT INTO cells SELECT n, n, n, n::text, '00000000-0000-0000-0000-000000000001', '\\x01', '2026-01-01', true \
             FROM generate_series(1, 3) AS n",
    );
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
    let visit = |on, ticket, vip| (Uuid::from_u128(1), day(on), TicketNumber(ticket), vip);
    let set = LockSet::new().ids::<Visit>([visit(2, 1, true), visit(1, 2, false)]);
    let locked = session.lock_set(set.query::<Visit>(visits::table.filter(visits::note.eq("2026-01-01 1 t")))).unwrap();
    let notes: Vec<&str> = locked.rows::<Visit>().iter().map(|visit| visit.note.as_str()).collect();
    assert_eq!(notes, ["2026-01-01 1 t", "2026-01-01 2 f", "2026-01-02 1 t"]);
    assert_eq!(arena.held_keys("visits", "note"), notes, "not every combination of the columns");

    let cell = |n: i16| {
        let (text, bytes) = (n.to_string(), vec![1]);
        Cell { a: n, b: n.into(), c: n.into(), d: text, e: Uuid::from_u128(1), f: bytes, g: day(1), h: true }
    };
    let locked = session.lock_set(LockSet::new().rows(&[cell(3), cell(1)])).unwrap();
    assert_eq!(locked.row(&cell(3)).unwrap().d, "3");
    assert_eq!(arena.held_keys("cells", "a"), ["1", "3"]);
    let error = session.lock(&cell(4)).unwrap_err();
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    assert_eq!(rows[0].key().get(), Some(&cell(4).lock_key()));
}

/// A moment as `Utc::now()` gives it: the server cuts it to microseconds when it is inserted, and when it is looked up.
fn finer_than_the_column(arena: &Arena) -> Moment {
    arena.execute(
        "CREATE TABLE moments (at timestamptz PRIMARY KEY, note text NOT NULL); \
         INSERT INTO moments VALUES ('2026-01-01 00:00:00.123456+00', 'exact')",
    );
    let exact: DateTime<Utc> = "2026-01-01T00:00:00.123456Z".parse().unwrap();
    Moment { at: exact + TimeDelta::nanoseconds(789), note: String::new() }
}

/// R07.
#[test]
fn a_time_that_is_finer_than_its_column_still_finds_its_row() {
    let arena = Arena::new();
    let finer = finer_than_the_column(&arena);
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(session.lock(&finer).unwrap().note, "exact");
    assert_eq!(session.lock_by_id::<Moment>(finer.at).unwrap().note, "exact");
}

/// R07.
#[test]
fn a_time_that_is_finer_than_its_column_is_not_called_missing() {
    let arena = Arena::new();
    let finer = finer_than_the_column(&arena);
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    for set in [LockSet::new().row(&finer), LockSet::new().row(&finer).query::<Moment>(moments::table.limit(1))] {
        assert_eq!(session.lock_set(set).unwrap().rows::<Moment>().len(), 1);
    }
}
