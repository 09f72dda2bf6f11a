//! The time that a set takes grows with its rows and no faster, whatever the settings of the server: what each row is asked is
//! answered from a hash table.

use std::time::{Duration, Instant};

use diesel::{connection::SimpleConnection as _, pg::Pg, prelude::*, sql_types::Text};
use diesel_lockset::{LockDsl, LockError, LockSet, Lockable, PickDsl, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    wide (id) {
        id -> Integer,
        g -> Integer,
    }
}

diesel::table! {
    words (id) {
        id -> Text,
        g -> Integer,
    }
}

diesel::table! {
    pairs (a, b) {
        a -> Text,
        b -> Integer,
        g -> Integer,
    }
}

macro_rules! model {
    ($table:ident, $Model:ident { $($field:ident: $type:ty),* }, $key:tt) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
        #[diesel(table_name = $table, primary_key $key)]
        struct $Model {
            $($field: $type,)*
        }
    };
}

model! { wide, Wide { id: i32, g: i32 }, (id) }
model! { wide, Slim { id: i32 }, (id) }
model! { words, Word { id: String, g: i32 }, (id) }
model! { pairs, Pair { a: String, b: i32, g: i32 }, (a, b) }

type Set = LockSet<'static, Pg>;

const SETTINGS: [&str; 7] = [
    "SELECT 1",
    "SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
    "SET plan_cache_mode = force_generic_plan; SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
    "SET plan_cache_mode = force_custom_plan; SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
    "SET enable_hashjoin = off; SET enable_hashagg = off; SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
    "SET enable_nestloop = off; SET enable_mergejoin = off; SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
    "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET work_mem = '64kB'; SET hash_mem_multiplier = 1",
];

/// Tables of so many rows; the server has looked at none of them.
fn arena(rows: i32) -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "CREATE TABLE wide (id int PRIMARY KEY, g int NOT NULL) WITH (autovacuum_enabled = off); \
         CREATE TABLE words (id varchar(20) PRIMARY KEY, g int NOT NULL) WITH (autovacuum_enabled = off); \
         CREATE TABLE pairs (a char(10), b int, g int NOT NULL, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = off); \
         INSERT INTO wide SELECT i, 1 FROM generate_series(1, {rows}) AS i; \
         INSERT INTO words SELECT 'w' || i, 1 FROM generate_series(1, {rows}) AS i; \
         INSERT INTO pairs SELECT 'p' || i % 100, i, 1 FROM generate_series(1, {rows}) AS i",
    ));
    arena
}

fn pair(i: i32) -> (String, i32) {
    (format!("p{}", i % 100), i)
}

/// Sets whose statements ask something of each row, all of them of all rows.
const SETS: [(&str, fn(i32) -> Set); 8] = [
    ("a key and a query", |_| LockSet::new().id::<Wide>(1).query::<Wide>(wide::table.filter(wide::g.eq(1)))),
    ("keys and a query", |n| LockSet::new().ids::<Wide>(1..=n).query::<Wide>(wide::table.filter(wide::g.eq(1)))),
    ("two models", |n| LockSet::new().ids::<Wide>(1..=n).ids::<Slim>(1..=n)),
    ("a limited query", |n| LockSet::new().query::<Wide>(wide::table.limit(n.into()))),
    ("texts and a query", |n| {
        LockSet::new().ids::<Word>((1..=n).map(|i| format!("w{i}"))).query::<Word>(words::table.filter(words::g.eq(1)))
    }),
    ("texts", |n| LockSet::new().ids::<Word>((1..=n).map(|i| format!("w{i}")))),
    ("pairs", |n| LockSet::new().ids::<Pair>((1..=n).map(pair))),
    ("pairs and a query", |n| {
        LockSet::new().ids::<Pair>((1..=n).map(pair)).query::<Pair>(pairs::table.filter(pairs::g.eq(1)))
    }),
];

fn lock(conn: &mut PgConnection, set: Set, rows: usize) -> Duration {
    let began = Instant::now();
    conn.transaction(|conn| {
        let locked = set.lock(conn)?;
        let found = locked.rows::<Wide>().len().max(locked.rows::<Word>().len()).max(locked.rows::<Pair>().len());
        assert_eq!(found, rows);
        Ok::<_, LockError>(())
    })
    .unwrap();
    began.elapsed()
}

#[test]
fn four_times_the_rows_take_four_times_as_long() {
    const FEW: i32 = 20_000;
    let (few, many) = (arena(FEW), arena(4 * FEW));
    for settings in SETTINGS {
        for (set_of, set) in SETS {
            let [short, long] = [(&few, FEW), (&many, 4 * FEW)].map(|(arena, rows)| {
                let conn = &mut arena.pg();
                conn.batch_execute(settings).unwrap();
                conn.batch_execute("SET statement_timeout = '60s'").unwrap();
                lock(conn, set(rows), rows.try_into().unwrap())
            });
            eprintln!("{set_of}, {settings}: {short:?} and {long:?}");
            assert!(long < 8 * short.max(Duration::from_millis(50)), "{set_of}, {settings}: {short:?} and {long:?}");
        }
    }
}
