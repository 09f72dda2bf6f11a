//! What a model calls its table and is none: views of all kinds, foreign tables. No verb locks anything of it, and each says so.

use std::time::Duration;

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{error::LockObstacle, *};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

diesel::table! {
    shown (id) {
        id -> Integer,
        balance -> Integer,
    }
}

diesel::table! {
    other.shown_there (id) {
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
#[diesel(table_name = shown_there)]
struct ShownThere {
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
        "CREATE TABLE real (id int PRIMARY KEY, balance int NOT NULL); INSERT INTO real VALUES (1, 10), (2, 20), (3, 30)",
    );
    arena
}

type Verb = (&'static str, fn(&mut PgConnection) -> Result<(), LockError>);

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
    ("keys, for key share", |conn| LockSet::new().for_key_share().ids::<Shown>([1, 2]).lock(conn).map(drop)),
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
        shown::table.select(shown::id).for_no_key_update_of(shown::table).pick_next::<i32>(conn).map(drop)
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
    ("for_update_of behind another clause", |conn| {
        let joined = real::table.inner_join(shown::table.on(real::id.eq(shown::id))).select(real::id);
        joined.for_update_of(real::table).for_update_of(shown::table).load::<i32>(conn).map(drop)
    }),
    ("for_update_of before another clause", |conn| {
        let joined = real::table.inner_join(shown::table.on(real::id.eq(shown::id))).select(real::id);
        joined.for_share_of(shown::table).for_update_of(real::table).load::<i32>(conn).map(drop)
    }),
];

/// Runs every verb on `shown` and checks that each is refused before a row of `real` is locked.
#[track_caller]
fn refused(arena: &Arena, what: &str) {
    let mut session = Blocking::connect(arena.url());
    for (name, verb) in VERBS {
        session.begin().unwrap();
        let error = verb(session.conn()).expect_err(&format!("{name} of {what}"));
        let LockError::NotLockable { table, rows, reason, source } = &error else {
            panic!("{name} of {what}: {error:?}")
        };
        // Of two tables in question the server does not always say which.
        let named = if name.contains("another clause") { table.contains("\"shown\"") } else { table == "\"shown\"" };
        assert!(named && rows.is_empty(), "{name} of {what}: {table}");
        assert_eq!(reason, &LockObstacle::NotATable, "{name} of {what}");
        assert!(source.is_some(), "{name} of {what}");
        assert!(error.to_string().contains(" cannot be locked: it is no table"), "{name}: {error}");
        assert!(!error.is_retryable() && !error.is_contended() && error.transaction_is_lost(), "{name} of {what}");
        let held = arena.held_keys("real", "id");
        assert!(held.is_empty() || (*name == "behind a table" && held == ["1"]), "{name} of {what}: {held:?}");
        session.rollback().unwrap();
    }
    // Outside of a transaction a claim is the only one to get so far.
    let claimed = shown::table.claim::<Shown, _>(1, shown::balance.eq(0), session.conn());
    assert!(matches!(claimed, Err(LockError::NotLockable { .. })), "{what}: {claimed:?}");
    assert_eq!(arena.number("SELECT sum(balance) FROM real"), 60, "{what}");
}

#[test]
fn rows_of_a_view_are_refused_by_every_verb() {
    let arena = arena();
    for (what, view) in [
        ("a simple view", "VIEW shown AS SELECT id, balance FROM real"),
        ("a view with a condition", "VIEW shown AS SELECT id, balance FROM real WHERE balance > 0 WITH CHECK OPTION"),
        ("a view of the caller's rights", "VIEW shown WITH (security_barrier) AS SELECT id, balance FROM real"),
        ("a view of a CTE", "VIEW shown AS WITH listed AS (SELECT id, balance FROM real) SELECT * FROM listed"),
        ("a view of a union", "VIEW shown AS SELECT id, balance FROM real UNION ALL SELECT -id, balance FROM real"),
        ("a view of groups", "VIEW shown AS SELECT id, max(balance) AS balance FROM real GROUP BY id"),
        ("a distinct view", "VIEW shown AS SELECT DISTINCT id, balance FROM real"),
        ("a view of values", "VIEW shown AS SELECT * FROM (VALUES (1, 10), (2, 20)) AS listed (id, balance)"),
        ("a view of a function", "VIEW shown AS SELECT id, id AS balance FROM generate_series(1, 3) AS id"),
        (
            "a recursive view",
            "RECURSIVE VIEW shown (id, balance) AS SELECT 1, 1 UNION ALL SELECT id + 1, 1 FROM shown WHERE id < 3",
        ),
    ] {
        arena.execute(&format!("CREATE {view}"));
        refused(&arena, what);
        arena.execute("DROP VIEW shown");
    }
}

#[test]
fn rows_of_views_with_rules_and_triggers_and_of_views_of_views_are_refused() {
    let arena = arena();
    arena.execute(
        "CREATE VIEW shown AS SELECT id, max(balance) AS balance FROM real GROUP BY id;
         CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE real SET balance = NEW.balance WHERE id = NEW.id; RETURN NEW; END $$;
         CREATE TRIGGER instead INSTEAD OF UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION instead()",
    );
    refused(&arena, "a view with a trigger");
    arena.execute(
        "DROP TRIGGER instead ON shown;
         CREATE RULE instead AS ON UPDATE TO shown DO INSTEAD UPDATE real SET balance = NEW.balance WHERE id = OLD.id",
    );
    refused(&arena, "a view with a rule");
    arena.execute("DROP VIEW shown; CREATE VIEW below AS SELECT * FROM real; CREATE VIEW shown AS SELECT * FROM below");
    refused(&arena, "a view of a view");
}

#[test]
fn rows_of_materialized_views_and_foreign_tables_are_refused() {
    let arena = arena();
    arena.execute("CREATE MATERIALIZED VIEW shown AS SELECT id, balance FROM real");
    refused(&arena, "a materialized view");
    arena.execute(
        "DROP MATERIALIZED VIEW shown; CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
         CREATE FOREIGN TABLE shown (id int NOT NULL, balance int NOT NULL) SERVER nowhere",
    );
    refused(&arena, "a foreign table");
}

/// What a server says in another language is the same refusal.
#[test]
fn rows_of_a_view_are_refused_in_every_language() {
    let arena = arena();
    arena.execute("CREATE VIEW shown AS SELECT id, balance FROM real");
    let mut session = Blocking::connect(arena.url());
    for language in ["de_DE.UTF-8", "ja_JP.UTF-8", "fr_FR.UTF-8", "C"] {
        // A server without the language speaks English.
        session.begin().unwrap();
        session.execute(&format!("SET LOCAL lc_messages = '{language}'")).ok();
        let error = session.lock_by_id::<Shown>(1).unwrap_err();
        let said = matches!(error, LockError::NotLockable { reason: LockObstacle::NotATable, .. });
        let unknown = matches!(&error, LockError::Query(error) if error.to_string().contains("aborted"));
        assert!(said || unknown, "{language}: {error:?}");
        session.rollback().unwrap();
    }
}

#[test]
fn rows_of_a_view_in_a_schema_and_of_one_under_an_alias_are_refused_by_the_name_that_the_query_has() {
    let arena = arena();
    arena.execute("CREATE SCHEMA other; CREATE VIEW other.shown_there AS SELECT id, balance FROM real; CREATE VIEW shown AS SELECT * FROM real");
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let error = session.lock_by_id::<ShownThere>(1).unwrap_err();
    let LockError::NotLockable { table, .. } = &error else { panic!("{error:?}") };
    assert_eq!(table, "\"other\".\"shown_there\"");
    session.rollback().unwrap();
    session.begin().unwrap();
    let again = diesel::alias!(shown as again);
    let joined = real::table.inner_join(again.on(again.field(shown::id).eq(real::id))).select(real::id);
    let error = joined.for_update_of(again).load::<i32>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::NotLockable { .. }), "{error:?}");
    assert_eq!(arena.held_keys("real", "id"), [""; 0]);
}

/// The rows of a joined view are not to be locked, so it may be one.
#[test]
fn a_view_beside_the_table_whose_rows_are_locked_is_no_obstacle() {
    let arena = arena();
    arena.execute("CREATE VIEW shown AS SELECT id, max(balance) AS balance FROM real GROUP BY id");
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let joined = || real::table.inner_join(shown::table.on(real::id.eq(shown::id))).filter(shown::balance.gt(10));
    let locked = LockSet::new().query::<Real>(joined()).lock(session.conn()).unwrap();
    assert_eq!(locked.rows::<Real>().iter().map(|row| row.id).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(arena.held_keys("real", "id"), ["2", "3"]);
    let picked: Vec<Real> = joined().order(real::id).pick(1, session.conn()).unwrap();
    assert_eq!(picked[0].id, 2);
    let ids: Vec<i32> = joined().select(real::id).for_update_of(real::table).load(session.conn()).unwrap();
    assert_eq!(ids.len(), 2);
}

/// Tables of every kind are tables: partitioned ones, partitions, unlogged and temporary ones, and one that has children.
#[test]
fn tables_of_every_kind_are_locked() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for kind in [
        "CREATE TABLE real (id int PRIMARY KEY, balance int NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE real_1 PARTITION OF real FOR VALUES FROM (0) TO (10)",
        "CREATE UNLOGGED TABLE real (id int PRIMARY KEY, balance int NOT NULL)",
        "CREATE TEMPORARY TABLE real (id int PRIMARY KEY, balance int NOT NULL)",
        "CREATE TABLE real (id int PRIMARY KEY, balance int NOT NULL); CREATE TABLE child () INHERITS (real)",
        "CREATE TABLE mother (id int NOT NULL, balance int NOT NULL); CREATE TABLE real (PRIMARY KEY (id)) INHERITS (mother)",
    ] {
        session.conn().batch_execute(&format!("{kind}; INSERT INTO real VALUES (1, 10), (2, 20)")).unwrap();
        session.begin().unwrap();
        assert_eq!(session.lock_by_id::<Real>(1).unwrap().balance, 10, "{kind}");
        let picked: Option<Real> = real::table.order(real::id.desc()).pick_next(session.conn()).unwrap();
        assert_eq!(picked.map(|row| row.id), Some(2), "{kind}");
        let claimed: Vec<Real> = real::table.order(real::id).claim(2, real::balance.eq(0), session.conn()).unwrap();
        assert_eq!(claimed.len(), 2, "{kind}");
        let loaded: Vec<Real> = real::table.for_update_of(real::table).load(session.conn()).unwrap();
        assert_eq!(loaded.len(), 2, "{kind}");
        session.rollback().unwrap();
        session.conn().batch_execute("DROP TABLE real CASCADE").unwrap();
    }
}
