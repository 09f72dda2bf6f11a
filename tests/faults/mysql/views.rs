//! What a model calls its table and is none, or is one without a primary key: no verb locks anything of it, and each says so.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{error::LockObstacle, *};

use super::{Arena, Driver};
use crate::support::driver::Session;

diesel::table! {
    shown (id) {
        id -> Integer,
        balance -> Integer,
    }
}

diesel::table! {
    real (id) {
        id -> Integer,
        balance -> Integer,
    }
}

diesel::allow_tables_to_appear_in_same_query!(shown, real);

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = shown)]
struct Shown {
    id: i32,
    balance: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = real)]
struct Real {
    id: i32,
    balance: i32,
}

/// A table with rows 1 to 3, and nothing that is called `shown`.
fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE `real` (id int PRIMARY KEY, balance int NOT NULL) ENGINE = InnoDB; \
         INSERT INTO `real` VALUES (1, 10), (2, 20), (3, 30)",
    );
    arena
}

type Verb = (&'static str, fn(&mut MysqlConnection) -> Result<(), LockError>);

fn one() -> Shown {
    Shown { id: 1, balance: 10 }
}

/// Every verb that locks rows, on `shown`.
const VERBS: &[Verb] = &[
    ("lock_by_id", |conn| Shown::lock_by_id(1, conn).map(drop)),
    ("lock", |conn| one().lock(conn).map(drop)),
    ("with_lock", |conn| one().with_lock(conn, |_, _| Ok(()))),
    ("row no_wait", |conn| one().no_wait().lock(conn).map(drop)),
    ("row skip_locked", |conn| one().skip_locked().lock(conn).map(drop)),
    ("row timeout", |conn| one().timeout(Duration::from_secs(5)).lock(conn).map(drop)),
    ("keys", |conn| LockSet::new().ids::<Shown>([1, 2]).lock(conn).map(drop)),
    ("keys, for share", |conn| LockSet::new().for_share().ids::<Shown>([1, 2]).lock(conn).map(drop)),
    ("keys, holders", |conn| LockSet::new().ids::<Shown>([1, 2]).name_holders().lock(conn).map(drop)),
    ("missing keys", |conn| LockSet::new().ids::<Shown>([77]).allow_missing().lock(conn).map(drop)),
    ("query", |conn| LockSet::new().query::<Shown>(shown::table.filter(shown::id.lt(3))).lock(conn).map(drop)),
    ("no_wait query", |conn| LockSet::new().query::<Shown>(shown::table).no_wait().lock(conn).map(drop)),
    ("skip_locked query", |conn| LockSet::new().query::<Shown>(shown::table).skip_locked().lock(conn).map(drop)),
    ("limited", |conn| LockSet::new().query::<Shown>(shown::table.order(shown::id).limit(1)).lock(conn).map(drop)),
    ("mixed", |conn| LockSet::new().id::<Shown>(1).query::<Shown>(shown::table.limit(2)).lock(conn).map(drop)),
    ("mixed no_wait", |conn| {
        LockSet::new().id::<Shown>(1).query::<Shown>(shown::table.limit(2)).no_wait().lock(conn).map(drop)
    }),
    ("behind a table", |conn| LockSet::new().id::<Real>(1).id::<Shown>(1).lock(conn).map(drop)),
    ("joined", |conn| {
        let joined = shown::table.inner_join(real::table.on(real::id.eq(shown::id))).filter(real::balance.gt(0));
        LockSet::new().query::<Shown>(joined).lock(conn).map(drop)
    }),
    ("boxed", |conn| LockSet::new().query::<Shown>(shown::table.into_boxed()).lock(conn).map(drop)),
    ("pick_next", |conn| shown::table.order(shown::id).pick_next::<Shown>(conn).map(drop)),
    ("pick", |conn| shown::table.filter(shown::balance.lt(0)).pick::<Shown>(2, conn).map(drop)),
    ("pick, boxed", |conn| shown::table.into_boxed().pick::<Shown>(2, conn).map(drop)),
    ("pick by a subquery", |conn| {
        let some = shown::table.filter(shown::id.eq_any(real::table.select(real::id)));
        some.pick::<Shown>(2, conn).map(drop)
    }),
    ("pick with a clause", |conn| {
        shown::table.select(shown::id).for_update_of(shown::table).pick_next::<i32>(conn).map(drop)
    }),
    ("claim", |conn| shown::table.order(shown::id).claim::<Shown, _>(1, shown::balance.eq(0), conn).map(drop)),
    ("claim two", |conn| shown::table.order(shown::id).claim::<Shown, _>(2, shown::balance.eq(0), conn).map(drop)),
    ("claim by a subquery", |conn| {
        let some = shown::table.filter(shown::id.eq_any(real::table.select(real::id)));
        some.claim::<Shown, _>(2, shown::balance.eq(0), conn).map(drop)
    }),
    ("for_update_of", |conn| shown::table.for_update_of(shown::table).load::<Shown>(conn).map(drop)),
    ("for_update_of, boxed", |conn| {
        shown::table.into_boxed().for_update_of(shown::table).load::<Shown>(conn).map(drop)
    }),
    ("for_update_of get_result", |conn| shown::table.for_update_of(shown::table).get_result::<Shown>(conn).map(drop)),
    ("for_share_of", |conn| shown::table.for_share_of(shown::table).load::<Shown>(conn).map(drop)),
    ("for_update_of skip_locked", |conn| {
        shown::table.for_update_of(shown::table).skip_locked().load::<Shown>(conn).map(drop)
    }),
    ("for_update_of no_wait", |conn| shown::table.for_update_of(shown::table).no_wait().load::<Shown>(conn).map(drop)),
    ("for_update_of no_wait, limited", |conn| {
        shown::table.limit(1).for_update_of(shown::table).no_wait().load::<Shown>(conn).map(drop)
    }),
    ("for_update_of timeout", |conn| {
        shown::table.for_update_of(shown::table).timeout(Duration::from_secs(5)).load::<Shown>(conn).map(drop)
    }),
];

/// Runs every verb on `shown` and checks that each is refused before a row of `real` is locked.
#[track_caller]
fn refused(arena: &Arena, what: &str) {
    let mut session = Driver::connect(arena.url());
    for (name, verb) in VERBS {
        session.begin().unwrap();
        let error = verb(session.conn()).expect_err(&format!("{name} of {what}"));
        let LockError::NotLockable { table, rows, reason, source } = &error else {
            panic!("{name} of {what}: {error:?}")
        };
        assert_eq!(
            (table.as_str(), rows.len(), reason),
            ("`shown`", 0, &LockObstacle::NoPrimaryKey),
            "{name} of {what}"
        );
        assert!(source.is_some(), "{name} of {what}");
        assert!(
            error.to_string().starts_with("rows of `shown` cannot be locked: it has no primary key"),
            "{name}: {error}"
        );
        assert!(!error.is_retryable() && !error.is_contended() && !error.transaction_is_lost(), "{name} of {what}");
        let held = arena.held_keys("`real`", "id");
        assert!(held.is_empty() || (*name == "behind a table" && held == ["1"]), "{name} of {what}: {held:?}");
        // The transaction goes on.
        assert_eq!(session.number("SELECT 1"), Ok(1));
        session.rollback().unwrap();
    }
    let claimed = shown::table.claim::<Shown, _>(1, shown::balance.eq(0), session.conn());
    assert!(matches!(claimed, Err(LockError::NotLockable { .. })), "{what}: {claimed:?}");
    assert_eq!(arena.number("SELECT sum(balance) FROM `real`"), 60, "{what}");
}

#[test]
fn rows_of_a_view_are_refused_by_every_verb() {
    let arena = arena();
    for (what, view) in [
        ("a simple view", "SELECT id, balance FROM `real`"),
        ("a view with a condition", "SELECT id, balance FROM `real` WHERE balance > 0 WITH CHECK OPTION"),
        ("a view of a CTE", "WITH listed AS (SELECT id, balance FROM `real`) SELECT * FROM listed"),
        ("a view of a union", "SELECT id, balance FROM `real` UNION ALL SELECT -id, balance FROM `real`"),
        ("a view of groups", "SELECT id, max(balance) AS balance FROM `real` GROUP BY id"),
        ("a distinct view", "SELECT DISTINCT id, balance FROM `real`"),
    ] {
        arena.execute(&format!("CREATE VIEW shown AS {view}"));
        refused(&arena, what);
        arena.execute("DROP VIEW shown");
    }
    arena.execute("CREATE ALGORITHM = TEMPTABLE VIEW shown AS SELECT id, balance FROM `real`");
    refused(&arena, "a view that is a temporary table");
    arena.execute(
        "DROP VIEW shown; CREATE VIEW below AS SELECT * FROM `real`; CREATE VIEW shown AS SELECT * FROM below",
    );
    refused(&arena, "a view of a view");
}

#[test]
fn rows_of_a_table_without_a_primary_key_are_refused() {
    let arena = arena();
    for columns in
        ["id int, balance int", "id int NOT NULL, balance int NOT NULL, UNIQUE (id)", "id int, balance int, KEY (id)"]
    {
        arena.execute(&format!(
            "CREATE TABLE shown ({columns}) ENGINE = InnoDB; INSERT INTO shown VALUES (1, 10), (2, 20), (3, 30)"
        ));
        refused(&arena, columns);
        assert_eq!(arena.held_keys("shown", "id"), [""; 0]);
        arena.execute("DROP TABLE shown");
    }
}

#[test]
fn rows_of_a_view_are_refused_in_every_language() {
    let arena = arena();
    arena.execute("CREATE VIEW shown AS SELECT id, balance FROM `real`");
    let mut session = Driver::connect(arena.url());
    for language in ["de_DE", "ja_JP", "fr_FR", "es_ES", "zh_CN", "uk_UA", "cs_CZ", "en_US"] {
        session.execute(&format!("SET lc_messages = '{language}'")).unwrap();
        session.begin().unwrap();
        let error = session.lock_by_id::<Shown>(1).unwrap_err();
        assert!(matches!(error, LockError::NotLockable { .. }), "{language}: {error:?}");
        session.rollback().unwrap();
    }
}

/// The rows of a joined view are not to be locked, so it may be one.
#[test]
fn a_view_beside_the_table_whose_rows_are_locked_is_no_obstacle() {
    let arena = arena();
    arena.execute("CREATE VIEW shown AS SELECT id, max(balance) AS balance FROM `real` GROUP BY id");
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let joined = || real::table.inner_join(shown::table.on(real::id.eq(shown::id))).filter(shown::balance.gt(10));
    let locked = LockSet::new().query::<Real>(joined()).lock(session.conn()).unwrap();
    assert_eq!(locked.rows::<Real>().iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3]);
    let ids: Vec<i32> = joined().select(real::id).for_update_of(real::table).load(session.conn()).unwrap();
    assert_eq!(ids.len(), 2);
}

/// Partitioned and temporary tables are tables; and the piece that has a view refused changes no answer.
#[test]
fn tables_of_every_kind_are_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for kind in [
        "CREATE TABLE `real` (id int PRIMARY KEY, balance int NOT NULL) ENGINE = InnoDB PARTITION BY HASH (id) PARTITIONS 3",
        "CREATE TEMPORARY TABLE `real` (id int PRIMARY KEY, balance int NOT NULL) ENGINE = InnoDB",
        "CREATE TABLE `real` (id int PRIMARY KEY, balance int NOT NULL) ENGINE = InnoDB",
    ] {
        session.execute(kind).unwrap();
        session.execute("INSERT INTO `real` VALUES (1, 10), (2, 20)").unwrap();
        session.begin().unwrap();
        assert_eq!(session.lock_by_id::<Real>(1).unwrap().balance, 10, "{kind}");
        // MySQL cannot open a temporary table twice in one statement.
        if !kind.contains("TEMPORARY") {
            let loaded: Vec<Real> =
                real::table.order(real::id).for_update_of(real::table).load(session.conn()).unwrap();
            assert_eq!(loaded.len(), 2, "{kind}");
            let again = diesel::alias!(real as again);
            let joined =
                real::table.inner_join(again.on(again.field(real::id).eq(real::id))).select(again.field(real::id));
            let ids: Vec<i32> = joined.order(real::id).limit(1).for_update_of(again).load(session.conn()).unwrap();
            assert_eq!(ids, [1], "{kind}");
            let boxed = real::table.filter(real::id.gt(1)).into_boxed().for_share_of(real::table).no_wait();
            assert_eq!(boxed.load::<Real>(session.conn()).unwrap().len(), 1, "{kind}");
            let picked: Option<Real> = real::table.order(real::id.desc()).pick_next(session.conn()).unwrap();
            assert_eq!(picked.map(|row| row.id), Some(2), "{kind}");
        }
        session.rollback().unwrap();
        session.execute("DROP TABLE `real`").unwrap();
    }
}
