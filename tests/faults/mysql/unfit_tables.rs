//! Tables whose rows cannot be locked by the key that `table!` names, or not at all: refused before a row is touched.

use diesel::{
    connection::{CacheSize, SimpleConnection},
    prelude::*,
};
use diesel_lockset::{LockDsl, LockError, LockSet, Lockable, PickDsl, RunLockSet, error::LockObstacle};

use super::{Arena, Driver};
use crate::support::driver::Session;

diesel::table! {
    users (email) {
        id -> Integer,
        email -> Text,
        v -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = users, primary_key(email))]
struct User {
    id: i32,
    email: String,
    v: i32,
}

mod by_two {
    diesel::table! {
        users (email, v) {
            id -> Integer,
            email -> Text,
            v -> Integer,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = by_two::users, primary_key(email, v))]
struct UserByTwo {
    id: i32,
    email: String,
    v: i32,
}

fn arena(table: &str) -> Arena {
    let arena = Arena::new();
    create(&arena, table);
    arena
}

fn create(arena: &Arena, table: &str) {
    arena.execute("DROP TABLE IF EXISTS users");
    arena.execute(&format!("CREATE TABLE users {table}"));
    arena.execute("INSERT INTO users VALUES (1, 'a@x', 1), (2, 'b@x', 2), (3, 'c@x', 3), (4, 'd@x', 4)");
}

type Verb = (&'static str, fn(&mut MysqlConnection) -> Result<(), LockError>);

const VERBS: &[Verb] = &[
    ("lock_by_id", |conn| User::lock_by_id("b@x", conn).map(drop)),
    ("a key that is missing", |conn| LockSet::new().id::<User>("z@x").allow_missing().lock(conn).map(drop)),
    ("keys", |conn| LockSet::new().ids::<User>(["b@x", "c@x"]).lock(conn).map(drop)),
    ("keys, for share", |conn| LockSet::new().for_share().ids::<User>(["b@x", "c@x"]).lock(conn).map(drop)),
    ("no_wait", |conn| LockSet::new().ids::<User>(["b@x", "c@x"]).no_wait().lock(conn).map(drop)),
    ("skip_locked", |conn| LockSet::new().ids::<User>(["b@x", "c@x"]).skip_locked().lock(conn).map(drop)),
    ("timeout", |conn| {
        LockSet::new().ids::<User>(["b@x"]).timeout(std::time::Duration::from_secs(5)).lock(conn).map(drop)
    }),
    ("holders", |conn| LockSet::new().ids::<User>(["b@x"]).name_holders().lock(conn).map(drop)),
    ("query", |conn| LockSet::new().query::<User>(users::table.filter(users::v.lt(3))).lock(conn).map(drop)),
    ("limited", |conn| LockSet::new().query::<User>(users::table.order(users::v).limit(1)).lock(conn).map(drop)),
    ("pick_next", |conn| users::table.order(users::v).pick_next::<User>(conn).map(drop)),
    ("pick of nothing", |conn| users::table.filter(users::v.lt(0)).pick::<User>(2, conn).map(drop)),
    ("claim", |conn| users::table.order(users::v).claim::<User, _>(1, users::v.eq(9), conn).map(drop)),
];

const LEVELS: [&str; 2] = ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"];

#[track_caller]
fn refused(arena: &Arena, what: &str, reason: &LockObstacle, verbs: &[Verb]) {
    for level in LEVELS {
        let mut session = Driver::connect(arena.url());
        for (name, verb) in verbs {
            session.begin_as(level).unwrap();
            let error = verb(session.conn()).expect_err(&format!("{name} of {what}"));
            let LockError::NotLockable { table, reason: is, .. } = &error else {
                panic!("{name} of {what}: {error:?}")
            };
            assert_eq!((table.as_str(), is), ("`users`", reason), "{name} of {what}");
            assert!(!error.transaction_is_lost() && !error.is_retryable() && !error.is_contended(), "{name} of {what}");
            assert_eq!(arena.held_keys("users", "id"), [""; 0], "{name} of {what}");
            // Nor is a gap: somebody else can insert.
            arena.execute("INSERT INTO users VALUES (9, 'bb@x', 9); DELETE FROM users WHERE id = 9");
            assert_eq!(
                session.number("SELECT COUNT(*) FROM users"),
                Ok(4),
                "{name} of {what}: the transaction goes on"
            );
            session.rollback().unwrap();
        }
    }
}

#[test]
fn a_key_of_table_that_is_not_the_primary_key_is_refused() {
    let primary = |key: &str| LockObstacle::OtherPrimaryKey(key.to_owned());
    let arena = Arena::new();
    for (columns, key) in [
        ("(id int PRIMARY KEY, email varchar(40) NOT NULL UNIQUE, v int NOT NULL)", "id"),
        ("(id int PRIMARY KEY, email varchar(40) NOT NULL, v int NOT NULL, KEY (email))", "id"),
        ("(id int NOT NULL, email varchar(40) NOT NULL, v int NOT NULL, PRIMARY KEY (email, id))", "email, id"),
        (
            "(id int NOT NULL, email varchar(40) NOT NULL, v int NOT NULL, PRIMARY KEY (id, email), UNIQUE (email))",
            "id, email",
        ),
    ] {
        create(&arena, &format!("{columns} ENGINE = InnoDB"));
        refused(&arena, columns, &primary(key), VERBS);
    }
    let verbs: &[Verb] = &[
        ("composite key", |conn| UserByTwo::lock_by_id(("b@x".to_owned(), 2), conn).map(drop)),
        ("composite query", |conn| LockSet::new().query::<UserByTwo>(by_two::users::table).lock(conn).map(drop)),
        ("composite pick", |conn| by_two::users::table.pick_next::<UserByTwo>(conn).map(drop)),
    ];
    for (columns, key) in [
        ("(id int PRIMARY KEY, email varchar(40) NOT NULL, v int NOT NULL, UNIQUE (email, v))", "id"),
        ("(id int NOT NULL, email varchar(40) NOT NULL, v int NOT NULL, PRIMARY KEY (v, email))", "v, email"),
        ("(id int NOT NULL, email varchar(40) NOT NULL, v int NOT NULL, PRIMARY KEY (email, v, id))", "email, v, id"),
        ("(id int NOT NULL, email varchar(40) NOT NULL, v int NOT NULL, PRIMARY KEY (email))", "email"),
    ] {
        create(&arena, &format!("{columns} ENGINE = InnoDB"));
        refused(&arena, columns, &primary(key), verbs);
    }
}

/// Their rows would come back, and nothing would be locked.
#[test]
fn a_table_of_an_engine_without_row_locks_is_refused() {
    let arena = Arena::new();
    let aria = arena.number("SELECT COUNT(*) FROM information_schema.engines WHERE engine = 'Aria'") > 0;
    for engine in ["MyISAM", "MEMORY", "Aria"] {
        if engine != "Aria" || aria {
            create(&arena, &format!("(id int, email varchar(40) PRIMARY KEY, v int) ENGINE = {engine}"));
            refused(&arena, engine, &LockObstacle::Engine(engine.to_owned()), VERBS);
        }
    }
}

/// Each session asks once for each table; then a set costs what it costs.
#[test]
fn a_table_is_asked_about_once_in_each_session() {
    let arena = arena("(id int, email varchar(40) PRIMARY KEY, v int) ENGINE = InnoDB");
    for _ in 0..2 {
        let mut session = Driver::connect(arena.url());
        let sent = session.overhear();
        session.begin().unwrap();
        for (call, asks) in [1, 0, 0].into_iter().enumerate() {
            sent.take();
            assert_eq!(session.lock_by_id::<User>("b@x").unwrap().id, 2);
            let sent = sent.take();
            assert_eq!(sent.len(), 1 + 3 * asks, "{call}: {sent:?}");
            assert_eq!(sent.iter().filter(|text| text.contains("information_schema")).count(), asks);
        }
        assert_eq!(arena.held_keys("users", "email"), ["b@x"]);
        let picked: Option<User> = users::table.order(users::email).pick_next(session.conn()).unwrap();
        assert_eq!((picked.map(|user| user.id), sent.take().len()), (Some(1), 1));
    }
}

/// A session whose connection keeps no statement prepared, as an application needs it that changes the database: a prepared statement, also of
/// Diesel's, is about the database in which it was prepared.
fn that_changes_the_database(arena: &Arena) -> Driver {
    let mut session = Driver::connect(arena.url());
    session.conn().set_prepared_statement_cache_size(CacheSize::Disabled);
    session
}

/// What was said of the table in one database says nothing of that in another.
#[test]
fn another_database_is_asked_about_anew() {
    let (fit, unfit) = (
        arena("(id int, email varchar(40) PRIMARY KEY, v int) ENGINE = InnoDB"),
        Arena::named("another_database_that_is_unfit"),
    );
    create(&unfit, "(id int PRIMARY KEY, email varchar(40) UNIQUE, v int) ENGINE = InnoDB");
    let mut session = that_changes_the_database(&fit);
    for _ in 0..2 {
        session.begin().unwrap();
        session.lock_by_id::<User>("b@x").unwrap();
        session.rollback().unwrap();
        session.conn().batch_execute(&format!("USE {}", unfit.name())).unwrap();
        session.begin().unwrap();
        let error = session.lock_by_id::<User>("b@x").unwrap_err();
        assert!(matches!(error, LockError::NotLockable { reason: LockObstacle::OtherPrimaryKey(_), .. }), "{error:?}");
        assert_eq!(unfit.held_keys("users", "id"), [""; 0]);
        session.rollback().unwrap();
        session.conn().batch_execute(&format!("USE {}", fit.name())).unwrap();
    }
}

#[test]
fn rows_are_locked_in_the_database_that_is_used() {
    const TABLE: &str = "(id int, email varchar(40) PRIMARY KEY, v int) ENGINE = InnoDB";
    let (one, other) = (arena(TABLE), Arena::named("another_database_to_lock_in"));
    create(&other, TABLE);
    let mut session = that_changes_the_database(&one);
    for (within, elsewhere) in [(&one, &other), (&other, &one), (&one, &other)] {
        session.conn().batch_execute(&format!("USE {}", within.name())).unwrap();
        session.begin().unwrap();
        assert_eq!(session.lock_by_id::<User>("b@x").unwrap().id, 2);
        assert_eq!(
            (within.held_keys("users", "email"), elsewhere.held_keys("users", "email")),
            (vec!["b@x".into()], vec![])
        );
        session.rollback().unwrap();
    }
}

/// The statement that changes the rows is kept prepared, and a prepared statement is about the database in which it was prepared.
#[test]
fn a_claim_changes_the_rows_of_the_database_in_which_it_locks_them() {
    const TABLE: &str = "(id int, email varchar(40) PRIMARY KEY, v int) ENGINE = InnoDB";
    let (one, other) = (arena(TABLE), Arena::named("another_database_to_claim_in"));
    create(&other, TABLE);
    let mut session = Driver::connect(one.url());
    let claim = |session: &mut Driver| -> Vec<User> {
        let users = users::table.filter(users::v.lt(10)).order(users::email);
        users.claim(1, users::v.eq(users::v + 10), session.conn()).unwrap()
    };
    let changed = "SELECT CAST(COALESCE(SUM(v > 10), 0) AS SIGNED) FROM users";
    for (round, within) in [(1, &one), (1, &other), (2, &one), (2, &other)] {
        session.conn().batch_execute(&format!("USE {}", within.name())).unwrap();
        let claimed = claim(&mut session);
        assert_eq!((claimed.len(), claimed[0].v), (1, 10 + round), "in {}", within.name());
        assert_eq!(within.number(changed), i64::from(round), "in {}", within.name());
    }
    assert_eq!((one.number(changed), other.number(changed)), (2, 2));
}

#[test]
fn a_temporary_table_is_its_sessions_own() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session
        .execute("CREATE TEMPORARY TABLE users (id int, email varchar(40) PRIMARY KEY, v int) ENGINE = InnoDB")
        .unwrap();
    session.execute("INSERT INTO users VALUES (1, 'a@x', 1)").unwrap();
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<User>("a@x").unwrap().id, 1);
}
