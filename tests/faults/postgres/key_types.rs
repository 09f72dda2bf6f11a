//! A key is sent as its column has it: what a row says about its key is found again by that key, by every verb, whatever the
//! column's type is called in `table!`.

use std::io::Write as _;

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    prelude::*,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Array, Binary, Cidr, Inet, Interval, Jsonb, Numeric, Text, Timestamp, Timestamptz},
};
use diesel_lockset::{LockError, LockSet, Lockable, RunLockSet};

use crate::support::arena::Arena;

/// A value as the server sends it: equal to another only if all bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
#[diesel(sql_type = Cidr)]
#[diesel(sql_type = Inet)]
#[diesel(sql_type = Interval)]
#[diesel(sql_type = Jsonb)]
#[diesel(sql_type = Numeric)]
#[diesel(sql_type = Timestamp)]
#[diesel(sql_type = Timestamptz)]
struct Raw(Vec<u8>);

macro_rules! raw {
    ($($ST:ty),*) => {$(
        impl FromSql<$ST, Pg> for Raw {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Raw(value.as_bytes().to_vec()))
            }
        }

        impl ToSql<$ST, Pg> for Raw {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(&self.0)?;
                Ok(IsNull::No)
            }
        }
    )*};
}

raw!(Binary, Cidr, Inet, Interval, Jsonb, Numeric, Timestamp, Timestamptz);

/// All verbs, for keys of one column that `table!` calls `$ST`, alone and as either column of a composite key.
macro_rules! keys {
    ($name:ident: $ST:ident, $K:ty) => {
        mod $name {
            use diesel::{connection::SimpleConnection as _, prelude::*};
            use diesel_lockset::{LockDsl, LockError, LockSet, Lockable, PickDsl, RunLockSet};

            use super::{Raw, SETTINGS};
            use crate::{
                isolation::Play,
                support::{
                    arena::Arena,
                    driver::{Blocking, Session},
                },
            };

            diesel::table! {
                use diesel::sql_types::*;
                single (k) { k -> $ST, v -> Text, }
            }
            diesel::table! {
                use diesel::sql_types::*;
                front (k, n) { k -> $ST, n -> Integer, v -> Text, }
            }
            diesel::table! {
                use diesel::sql_types::*;
                back (n, k) { n -> Integer, k -> $ST, v -> Text, }
            }

            #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
            #[diesel(table_name = single, primary_key(k))]
            struct Single {
                k: $K,
                v: String,
            }

            #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
            #[diesel(table_name = front, primary_key(k, n))]
            struct Front {
                k: $K,
                n: i32,
                v: String,
            }

            #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
            #[diesel(table_name = back, primary_key(n, k))]
            struct Back {
                n: i32,
                k: $K,
                v: String,
            }

            #[allow(dead_code)]
            type Unused = Raw;

            keys! { @verbs on_single: single, Single, single::k }
            keys! { @verbs on_front: front, Front, (front::k, front::n) }
            keys! { @verbs on_back: back, Back, (back::n, back::k) }

            #[allow(dead_code, reason = "not of every type")]
            /// The plans of sets by key, alone and beside a query, of 500,000 rows whose keys are `key`, an expression of `i`.
            pub(super) fn index_is_used(arena: &Arena, column: &str, key: &str) {
                arena.execute(&format!(
                    "DROP TABLE IF EXISTS single, front, back; CREATE UNLOGGED TABLE single (k {column} PRIMARY KEY, v text NOT NULL); \
                     CREATE UNLOGGED TABLE front (k {column}, n int, v text NOT NULL, PRIMARY KEY (k, n)); \
                     INSERT INTO single SELECT {key}, 'open' FROM generate_series(1, 500000) AS i; \
                     INSERT INTO front SELECT k, 7, v FROM single LIMIT 50000; ANALYZE single, front",
                ));
                for planned in ["force_custom_plan", "force_generic_plan"] {
                    let conn = &mut arena.pg();
                    conn.batch_execute(&format!("SET plan_cache_mode = {planned}")).unwrap();
                    let keys: Vec<$K> = front::table.select(front::k).limit(3).load(conn).unwrap();
                    conn.transaction(|conn| {
                        let set = LockSet::new().ids::<Single>(keys.clone());
                        assert_eq!(set.lock(conn)?.rows::<Single>().len(), 3);
                        let set = LockSet::new().ids::<Single>(keys.clone());
                        set.query::<Single>(single::table.order(single::k).limit(1)).lock(conn)?;
                        let set = LockSet::new().ids::<Front>(keys.iter().map(|key| (key.clone(), 7)));
                        assert_eq!(set.lock(conn)?.rows::<Front>().len(), 3);
                        Ok::<_, LockError>(())
                    })
                    .unwrap();
                    for table in ["single", "front"] {
                        for plan in super::plans(conn, table) {
                            assert!(
                                plan.contains(&format!("{table}_pkey")) && !plan.contains(&format!("Seq Scan on {table}")),
                                "{column}, {planned}: {plan}",
                            );
                        }
                    }
                }
            }

            /// `values`: three literals, in the order of the server.
            pub(super) fn every_verb(arena: &Arena, column: &str, values: [&str; 3]) {
                arena.execute(&format!(
                    "DROP TABLE IF EXISTS single, front, back; \
                     CREATE UNLOGGED TABLE single (k {column} PRIMARY KEY, v text NOT NULL); \
                     CREATE UNLOGGED TABLE front (k {column}, n int, v text NOT NULL, PRIMARY KEY (k, n)); \
                     CREATE TABLE back (n int, k {column}, v text NOT NULL, PRIMARY KEY (n, k))",
                ));
                let values = values.map(|value| format!("({value}, 'open')")).join(", ");
                arena.execute(&format!(
                    "INSERT INTO single VALUES {values}; INSERT INTO front SELECT k, 7, v FROM single; \
                     INSERT INTO back SELECT 7, k, v FROM single",
                ));
                on_single(arena, column);
                on_front(arena, column);
                on_back(arena, column);
            }
        }
    };
    (@verbs $verbs:ident: $table:ident, $Model:ident, $key:expr) => {
        fn $verbs(arena: &Arena, column: &str) {
            let of = concat!(stringify!($Model), " of ");
            let of = &format!("{of}{column}");
            let conn = &mut arena.pg();
            conn.batch_execute(SETTINGS).unwrap();
            let all: Vec<$Model> = $table::table.order($key).load(conn).unwrap();
            let [one, two, three] = [0, 1, 2].map(|i| all[i].clone());
            let open = || $table::table.filter($table::v.ne("gone"));
            let alias = diesel::alias!($table as other);
            let by_subquery = || {
                let open = alias.filter(alias.field($table::v).ne("gone")).select(alias.field($table::v));
                $table::table.filter($table::v.eq_any(open)).order($key)
            };

            conn.transaction(|conn| {
                for row in &all {
                    assert_eq!(&row.lock(conn)?, row, "lock, {of}");
                    assert_eq!(&$Model::lock_by_id(row.lock_key(), conn)?, row, "lock_by_id, {of}");
                    assert_eq!(&row.no_wait().lock(conn)?, row, "no_wait, {of}");
                    assert_eq!(row.skip_locked().lock(conn)?.as_ref(), Some(row), "skip_locked, {of}");
                }
                let sets: [(&str, fn(&[$Model]) -> LockSet<'static, diesel::pg::Pg>); 8] = [
                    ("rows", |all| LockSet::new().rows(all)),
                    ("keys", |all| LockSet::new().ids::<$Model>(all.iter().map(Lockable::lock_key))),
                    ("a query", |_| LockSet::new().query::<$Model>($table::table)),
                    ("two queries", |_| LockSet::new().query::<$Model>($table::table).query::<$Model>($table::table)),
                    ("a limited query", |_| LockSet::new().query::<$Model>($table::table.order($key).limit(3))),
                    ("keys and a query", |all| LockSet::new().rows(all).query::<$Model>($table::table)),
                    ("keys and a limited query", |all| {
                        LockSet::new().rows(&all[1..]).query::<$Model>($table::table.order($key).limit(1))
                    }),
                    ("keys twice", |all| LockSet::new().rows(all).rows(all)),
                ];
                for (set_of, set) in &sets {
                    for locked in
                        [set(&all).lock(conn)?, set(&all).no_wait().lock(conn)?, set(&all).skip_locked().lock(conn)?]
                    {
                        assert_eq!(locked.rows::<$Model>(), all, "{set_of}, {of}");
                        assert!(locked.skipped().is_empty(), "{set_of}, {of}: {locked:?}");
                        for row in &all {
                            assert_eq!(locked.row(row)?, row, "{set_of}, {of}");
                        }
                    }
                }
                assert_eq!(by_subquery().pick::<$Model>(9, conn)?, all, "pick, {of}");
                assert_eq!(by_subquery().claim::<$Model, _>(9, $table::v.eq("open"), conn)?, all, "claim, {of}");
                assert_eq!(
                    open().order($key).claim::<$Model, _>(9, $table::v.eq("open"), conn)?,
                    all,
                    "claim at once, {of}"
                );
                Ok::<_, LockError>(())
            })
            .unwrap_or_else(|error| panic!("{of}: {error:?}"));

            // What is held by others is named, and nothing else is.
            let other = &mut arena.pg();
            other.batch_execute(SETTINGS).unwrap();
            conn.transaction(|conn| {
                two.lock(conn)?;
                let keys = [two.lock_key()];
                let named = |rows: &[diesel_lockset::error::RowName]| {
                    assert_eq!(rows.len(), 1, "{of}: {rows:?}");
                    assert_eq!(rows[0].key().get(), keys.first(), "{of}");
                };
                other.transaction(|other| {
                    let sets: [(&str, fn(&[$Model]) -> LockSet<'static, diesel::pg::Pg>); 4] = [
                        ("rows", |all| LockSet::new().rows(all)),
                        ("a query", |_| LockSet::new().query::<$Model>($table::table)),
                        ("keys and a limited query", |all| {
                            LockSet::new().rows(&all[1..]).query::<$Model>($table::table.order($key).limit(1))
                        }),
                        ("two queries", |_| {
                            LockSet::new().query::<$Model>($table::table).query::<$Model>($table::table)
                        }),
                    ];
                    for (set_of, set) in &sets {
                        match set(&all).no_wait().lock(other) {
                            Err(LockError::Contended { rows, .. }) => named(&rows),
                            other => panic!("{set_of}, {of}: {other:?}"),
                        }
                        let locked = set(&all).skip_locked().lock(other)?;
                        assert_eq!(locked.rows::<$Model>(), [one.clone(), three.clone()], "{set_of}, {of}");
                        if *set_of == "rows" {
                            named(locked.skipped());
                        }
                    }
                    assert_eq!(two.skip_locked().lock(other)?, None, "{of}");
                    assert_eq!(by_subquery().pick::<$Model>(9, other)?, [one.clone(), three.clone()], "pick, {of}");
                    Ok::<_, LockError>(())
                })
            })
            .unwrap_or_else(|error| panic!("{of}: {error:?}"));

            // The first row changes while it is waited for and still matches, the second leaves.
            let sets: [(&str, fn(&[$Model]) -> LockSet<'static, diesel::pg::Pg>); 4] = [
                ("two queries", |_| {
                    let open = || $table::table.filter($table::v.ne("gone"));
                    LockSet::new().query::<$Model>(open()).query::<$Model>(open().order($key))
                }),
                ("a limited query", |_| {
                    LockSet::new().query::<$Model>($table::table.filter($table::v.ne("gone")).order($key).limit(2))
                }),
                ("keys and a query", |all| {
                    LockSet::new().row(&all[2]).query::<$Model>($table::table.filter($table::v.ne("gone")))
                }),
                ("rows", |all| LockSet::new().rows([&all[0], &all[2]])),
            ];
            let play = Play::<Blocking>::new(arena);
            let (holder, locker) = (play.session("holder"), play.session("locker"));
            for (set_of, set) in sets {
                holder.run("changes", |s| {
                    s.begin().unwrap();
                    for (place, v) in ["new", "gone"].iter().enumerate() {
                        let table = stringify!($table);
                        let place = format!("SELECT ctid FROM {table} ORDER BY k LIMIT 1 OFFSET {place}");
                        assert_eq!(
                            s.execute(&format!("UPDATE {table} SET v = '{v}' WHERE ctid = ({place})")).unwrap(),
                            1
                        );
                    }
                });
                let rows = all.clone();
                let waiting = locker.start("locks", move |s| {
                    s.begin().unwrap();
                    s.conn().batch_execute(SETTINGS).unwrap();
                    let found = s.lock_set(set(&rows)).map(|mut locked| locked.take_rows::<$Model>());
                    s.rollback().unwrap();
                    found
                });
                waiting.blocked_by(&holder);
                holder.run("commits", |s| s.commit().unwrap());
                let mut changed = one.clone();
                changed.v = "new".to_owned();
                let found = waiting.join().unwrap_or_else(|error| panic!("{set_of}, {of}: {error:?}"));
                assert_eq!(found, [changed, three.clone()], "{set_of}, {of}, after a wait");
                diesel::update($table::table).set($table::v.eq("open")).execute(conn).unwrap();
            }
        }
    };
}

keys! { texts: Text, String }
keys! { numerics: Numeric, Raw }
keys! { timestamps: Timestamp, Raw }
keys! { timestamptzs: Timestamptz, Raw }
keys! { intervals: Interval, Raw }
keys! { binaries: Binary, Raw }
keys! { inets: Inet, Raw }
keys! { cidrs: Cidr, Raw }
keys! { jsonbs: Jsonb, Raw }

/// Diesel asks for UTC, and a user may ask for something else afterwards.
const SETTINGS: &str = "SET TIME ZONE 'America/New_York'";

const LETTERS: [&str; 3] = ["'a'", "'b'", "'c'"];

#[test]
fn padded_characters() {
    let arena = Arena::new();
    texts::every_verb(&arena, "char(5)", ["'ab'", "'cd'", "'efghi'"]);
}

#[test]
fn padded_characters_behind_a_domain() {
    let arena = Arena::new();
    arena.execute("CREATE DOMAIN code AS char(5) CHECK (value <> 'zz'); CREATE DOMAIN outer_code AS code");
    texts::every_verb(&arena, "code", ["'ab'", "'cd'", "'efghi'"]);
    texts::every_verb(&arena, "outer_code", ["'ab'", "'cd'", "'efghi'"]);
}

#[test]
fn texts_of_every_name() {
    let arena = Arena::new();
    arena.execute("CREATE DOMAIN word AS text CHECK (value <> 'zz')");
    for column in ["text", "varchar", "varchar(3)", "name", "\"char\"", "word", "text COLLATE \"C\""] {
        texts::every_verb(&arena, column, LETTERS);
    }
}

#[test]
fn texts_in_any_letters() {
    let arena = Arena::new();
    arena.execute(
        "CREATE EXTENSION citext; \
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
         CREATE DOMAIN loose AS varchar(5) COLLATE ci; \
         CREATE DOMAIN loose_citext AS citext",
    );
    for column in ["citext", "loose_citext", "text COLLATE ci", "char(5) COLLATE ci", "loose"] {
        texts::every_verb(&arena, column, ["'Ada'", "'bob'", "'CYD'"]);
    }
}

#[test]
fn an_enum_that_is_called_a_text() {
    let arena = Arena::new();
    arena.execute("CREATE TYPE mood AS ENUM ('sad', 'glad', 'other')");
    texts::every_verb(&arena, "mood", ["'sad'", "'glad'", "'other'"]);
}

#[test]
fn numbers_of_any_scale() {
    let arena = Arena::new();
    numerics::every_verb(&arena, "numeric", ["1.5", "1.6000", "20000"]);
    numerics::every_verb(&arena, "numeric(12, 4)", ["1.5", "1.6000", "20000"]);
}

#[test]
fn moments() {
    let arena = Arena::new();
    for moments in [
        ["'2026-01-01 00:00:00.123456'", "'2026-01-01 00:00:07.75'", "'infinity'"],
        ["'2026-01-01 00:00:00Z'", "'2026-03-08 07:30:00Z'", "'2026-11-01 06:30:00Z'"],
    ] {
        for column in ["timestamp", "timestamp(0)", "timestamptz", "timestamptz(3)"] {
            timestamps::every_verb(&arena, column, moments);
            timestamptzs::every_verb(&arena, column, moments);
        }
    }
}

#[test]
fn intervals_bytes_addresses_and_documents() {
    let arena = Arena::new();
    intervals::every_verb(&arena, "interval", ["'1 hour'", "'24 hours'", "'1 mon 3 days'"]);
    binaries::every_verb(&arena, "bytea", ["'\\x00'", "'\\x0001'", "'\\xff'"]);
    inets::every_verb(&arena, "inet", ["'10.0.0.0/8'", "'10.0.0.1'", "'::1'"]);
    cidrs::every_verb(&arena, "cidr", ["'10.0.0.0/8'", "'10.0.0.1'", "'::1'"]);
    inets::every_verb(&arena, "cidr", ["'10.0.0.0/8'", "'10.0.0.1'", "'::1'"]);
    cidrs::every_verb(&arena, "inet", ["'10.0.0.0/8'", "'10.0.0.1'", "'::1'"]);
    jsonbs::every_verb(&arena, "jsonb", ["'[1]'", "'[2]'", "'{\"a\": 1}'"]);
}

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Array<Text>)]
    types: Vec<String>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

#[derive(QueryableByName)]
struct Keys {
    #[diesel(sql_type = Text)]
    keys: String,
}

/// The plans of the locking statements over `table` that Diesel has prepared in this session.
fn plans(conn: &mut PgConnection, table: &str) -> Vec<String> {
    let keys = format!("SELECT array_agg(k)::text AS keys FROM (SELECT k FROM {table} LIMIT 3) AS three");
    let keys = diesel::sql_query(keys).get_result::<Keys>(conn).unwrap().keys;
    let prepared = format!(
        "SELECT name, parameter_types::text[] AS types FROM pg_prepared_statements \
         WHERE statement LIKE '%FROM \"{table}\"%FOR UPDATE%' AND statement NOT LIKE '%parameter_types%'"
    );
    let prepared: Vec<Prepared> = diesel::sql_query(prepared).load(conn).unwrap();
    assert!(!prepared.is_empty());
    let explain = |prepared: Prepared| {
        let values = prepared.types.iter().map(|kind| match &kind[..] {
            "integer[]" => "'{7,7,7}'".to_owned(),
            "bigint" => "1".to_owned(),
            _ => format!("'{}'", keys.replace('\'', "''")),
        });
        let explain = format!("EXPLAIN EXECUTE {} ({})", prepared.name, values.collect::<Vec<_>>().join(", "));
        let lines: Vec<Line> = diesel::sql_query(explain).load(conn).unwrap();
        lines.into_iter().map(|line| line.line + "\n").collect()
    };
    prepared.into_iter().map(explain).collect()
}

#[test]
fn the_index_is_used_for_keys_of_every_type() {
    let arena = Arena::new();
    arena.execute("CREATE EXTENSION citext; CREATE DOMAIN code AS char(10)");
    for column in ["char(10)", "code", "varchar(20)", "text", "name", "citext", "text COLLATE \"C\""] {
        texts::index_is_used(&arena, column, "'k' || i");
    }
    numerics::index_is_used(&arena, "numeric(12, 3)", "i + 0.5");
    timestamps::index_is_used(&arena, "timestamptz(3)", "now() + i * interval '1 s'");
    timestamptzs::index_is_used(&arena, "timestamp(0)", "now() + i * interval '1 s'");
    intervals::index_is_used(&arena, "interval", "i * interval '1 s'");
    binaries::index_is_used(&arena, "bytea", "('k' || i)::bytea");
    inets::index_is_used(&arena, "cidr", "('::' || to_hex(i / 65536) || ':' || to_hex(i % 65536))::inet");
}

diesel::table! {
    people (name, n) {
        name -> Text,
        n -> Integer,
        v -> Text,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = people, primary_key(name, n))]
struct Person {
    name: String,
    n: i32,
    v: String,
}

#[test]
fn a_row_of_a_composite_key_comes_once_under_all_its_spellings() {
    let arena = Arena::new();
    arena.execute(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
         CREATE TABLE people (name text COLLATE ci, n int, v text NOT NULL, PRIMARY KEY (name, n)); \
         INSERT INTO people VALUES ('ada', 1, 'x'), ('bob', 1, 'y')",
    );
    let conn = &mut arena.pg();
    let set = || LockSet::new().ids::<Person>(["ada", "ADA", "Ada"].map(|name| (name.to_owned(), 1)));
    let first = || people::table.order(people::n).filter(people::name.eq("aDA")).limit(1);
    conn.transaction(|conn| {
        for (form, locked) in [
            ("waits", set().lock(conn)?),
            ("no_wait", set().no_wait().lock(conn)?),
            ("skip_locked", set().skip_locked().lock(conn)?),
            ("allow_missing", set().allow_missing().lock(conn)?),
            ("a query", set().query::<Person>(people::table.filter(people::v.eq("x"))).lock(conn)?),
            ("a limited query", set().query::<Person>(first()).lock(conn)?),
            ("a limited query, no_wait", set().query::<Person>(first()).no_wait().lock(conn)?),
        ] {
            assert_eq!(locked.rows::<Person>().len(), 1, "{form}: {locked:?}");
            assert!(locked.missing().is_empty() && locked.skipped().is_empty(), "{form}: {locked:?}");
            for name in ["ada", "ADA", "Ada"] {
                assert_eq!(locked.id::<Person>((name.to_owned(), 1))?.name, "ada", "{form}");
            }
        }
        Ok::<_, LockError>(())
    })
    .unwrap();
}
