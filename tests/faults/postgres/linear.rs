//! The time that a set takes grows with its rows and no faster, whatever the settings of the server: what each row is asked is
//! answered from a hash table.

use std::time::{Duration, Instant};

use diesel::{
    connection::SimpleConnection as _,
    pg::Pg,
    prelude::*,
    sql_types::{Array, Text},
};
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl, RunLockSet};

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

/// The same tables with few rows and with four times as many.
struct Sizes {
    few: i32,
    small: Arena,
    large: Arena,
}

impl Sizes {
    fn new(few: i32) -> Self {
        Sizes { few, small: arena(few), large: arena(4 * few) }
    }

    /// Other tests run beside this one: it is enough if one of five times is short. What is not linear is ten times as long and
    /// more.
    #[track_caller]
    fn assert_linear(&self, what: &str, time: impl Fn(&Arena, i32) -> Duration) {
        let mut times = Vec::new();
        while times.len() < 5 {
            let (short, long) = (time(&self.small, self.few), time(&self.large, 4 * self.few));
            if long < 8 * short.max(Duration::from_millis(50)) {
                return;
            }
            times.push((short, long));
        }
        panic!("{what}: {times:?} for {} rows and for four times as many", self.few);
    }
}

fn connect(arena: &Arena, settings: &str) -> PgConnection {
    let mut conn = arena.pg();
    conn.batch_execute(settings).unwrap();
    conn.batch_execute("SET statement_timeout = '120s'").unwrap();
    conn
}

#[test]
fn large_sets() {
    let sizes = Sizes::new(50_000);
    for settings in [SETTINGS[0], SETTINGS[2]] {
        for (set_of, set) in SETS {
            sizes.assert_linear(&format!("{set_of}, {settings}"), |arena, rows| {
                lock(&mut connect(arena, settings), set(rows), rows.try_into().unwrap())
            });
        }
    }
}

/// All rows change while the set waits for the first of them.
#[test]
fn sets_whose_rows_have_all_changed() {
    let sizes = Sizes::new(1_000);
    let sets: [(&str, fn(i32) -> Set); 4] = [
        ("a key and a query", |_| LockSet::new().id::<Wide>(1).query::<Wide>(wide::table.filter(wide::g.ne(0)))),
        ("a limited query", |n| {
            LockSet::new().query::<Wide>(wide::table.filter(wide::g.ne(0)).order(wide::id).limit(n.into()))
        }),
        ("texts and a query", |_| LockSet::new().id::<Word>("w1").query::<Word>(words::table.filter(words::g.ne(0)))),
        ("pairs and a query", |_| {
            LockSet::new().id::<Pair>(pair(1)).query::<Pair>(pairs::table.filter(pairs::g.ne(0)))
        }),
    ];
    for settings in [SETTINGS[1], SETTINGS[2]] {
        for (set_of, set) in sets {
            if (set_of, settings) == ("pairs and a query", SETTINGS[1]) {
                // Linear as well, but from some 2,000 rows on each of them is looked at by a hash join with temporary files of its own,
                // a millisecond each, which fewer rows do not need.
                continue;
            }
            sizes.assert_linear(&format!("{set_of}, {settings}"), |arena, rows| {
                let play = Play::<Blocking>::new(arena);
                let (holder, locker) = (play.session("holder"), play.session("locker"));
                holder.run("changes", |s| {
                    s.begin().unwrap();
                    for table in ["wide", "words", "pairs"] {
                        s.execute(&format!("UPDATE {table} SET g = g + 1")).unwrap();
                    }
                });
                let waiting = locker.start("locks", move |s| {
                    s.conn().batch_execute(settings).unwrap();
                    s.begin().unwrap();
                    let locked = s.lock_set(set(rows)).unwrap();
                    let found = locked.rows::<Wide>().len().max(locked.rows::<Word>().len());
                    assert_eq!(found.max(locked.rows::<Pair>().len()), usize::try_from(rows).unwrap());
                    s.rollback().unwrap();
                });
                waiting.blocked_by(&holder);
                let began = Instant::now();
                holder.run("commits", |s| s.commit().unwrap());
                waiting.join();
                began.elapsed()
            });
        }
    }
}

#[test]
fn keys_in_other_letters() {
    let sizes = Sizes::new(5_000);
    for settings in [SETTINGS[1], SETTINGS[2]] {
        sizes.assert_linear(settings, |arena, rows| {
            arena.execute(
                "DROP COLLATION IF EXISTS ci; \
                 CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
            arena.execute("ALTER TABLE words ALTER id TYPE varchar(20) COLLATE ci");
            let conn = &mut connect(arena, settings);
            let set = LockSet::new().ids::<Word>((1..=rows).map(|i| format!("W{i}")));
            let time = lock(conn, set, rows.try_into().unwrap());
            arena.execute("ALTER TABLE words ALTER id TYPE varchar(20) COLLATE \"C\"");
            time
        });
    }
}

#[test]
fn picks_that_look_again() {
    let sizes = Sizes::new(5_000);
    for settings in [SETTINGS[1], SETTINGS[2]] {
        for claims in [false, true] {
            sizes.assert_linear(&format!("{claims}, {settings}"), |arena, rows| {
                let conn = &mut connect(arena, settings);
                let (wide_too, pairs_too) = diesel::alias!(wide as wide_too, pairs as pairs_too);
                let free = wide_too.filter(wide_too.field(wide::g).ne(0)).select(wide_too.field(wide::g));
                let free = wide::table.filter(wide::g.eq_any(free)).order(wide::id);
                let free_pairs = pairs_too.filter(pairs_too.field(pairs::g).ne(0)).select(pairs_too.field(pairs::g));
                let free_pairs = pairs::table.filter(pairs::g.eq_any(free_pairs)).order(pairs::b);
                let limit = u32::try_from(rows).unwrap();
                let began = Instant::now();
                conn.transaction(|conn| {
                    let picked: (Vec<Wide>, Vec<Pair>) = if claims {
                        (
                            free.claim(limit, wide::g.eq(wide::g + 1), conn)?,
                            free_pairs.claim(limit, pairs::g.eq(2), conn)?,
                        )
                    } else {
                        (free.pick(limit, conn)?, free_pairs.pick(limit, conn)?)
                    };
                    assert_eq!((picked.0.len(), picked.1.len()), (limit as usize, limit as usize));
                    Ok::<_, LockError>(())
                })
                .unwrap();
                began.elapsed()
            });
        }
    }
}

/// What is asked of each row is hashed, in every plan that the server keeps of a set.
#[test]
fn what_each_row_is_asked_is_hashed() {
    let arena = arena(20_000);
    for settings in SETTINGS {
        let conn = &mut connect(&arena, settings);
        for (_, set) in SETS {
            lock(conn, set(20_000), 20_000);
        }
        let plans = plans(conn, 20_000);
        assert!(plans.len() >= 7, "{plans:#?}");
        for (statement, plan) in plans {
            // Where a subplan is defined, its name begins a line.
            let used =
                plan.lines().map(str::trim_start).filter(|line| !line.starts_with("SubPlan")).collect::<String>();
            let (all, hashed) = (used.matches("SubPlan").count(), used.matches("hashed SubPlan").count());
            assert_eq!(all, hashed, "{settings}, {statement}\n{}", shortened(&plan));
            assert!(!plan.contains("Seq Scan on words") || !statement.contains("= ANY($1)"), "{}", shortened(&plan));
        }
    }
}

fn shortened(plan: &str) -> String {
    plan.lines().map(|line| line.chars().take(300).chain(['\n']).collect::<String>()).collect()
}

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    statement: String,
    #[diesel(sql_type = Array<Text>)]
    types: Vec<String>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// The plans of the locking statements that Diesel has prepared in this session, for `rows` keys.
fn plans(conn: &mut PgConnection, rows: i32) -> Vec<(String, String)> {
    let prepared = "SELECT name, statement, parameter_types::text[] AS types FROM pg_prepared_statements \
                    WHERE statement LIKE '%FOR UPDATE%' AND statement NOT LIKE '%parameter_types%'";
    let prepared: Vec<Prepared> = diesel::sql_query(prepared).load(conn).unwrap();
    let explain = |Prepared { name, statement, types }| {
        let values = types.iter().map(|kind| match &kind[..] {
            "integer[]" => format!("'{{{}}}'", (1..=rows).map(|i| i.to_string()).collect::<Vec<_>>().join(",")),
            kind if kind.ends_with("[]") => {
                format!("'{{{}}}'", (1..=rows).map(|i| format!("w{i}")).collect::<Vec<_>>().join(","))
            }
            "bigint" => rows.to_string(),
            _ => "1".to_owned(),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let explain = format!("EXPLAIN (VERBOSE) EXECUTE {name} ({values})");
        let lines: Vec<Line> = diesel::sql_query(explain).load(conn).unwrap();
        (statement, lines.into_iter().map(|line| line.line + "\n").collect())
    };
    prepared.into_iter().map(explain).collect()
}
