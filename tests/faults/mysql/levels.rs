//! What holds under REPEATABLE READ and SERIALIZABLE.

use diesel::{prelude::*, result::QueryResult};
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{driver::Session, mysql::MysqlFamily, server::Server},
};

diesel::table! {
    lockset_elsewhere.parcels (id) {
        id -> Integer,
        status -> Text,
        batch -> BigInt,
    }
}

diesel::table! {
    works (id) {
        id -> Integer,
        status -> Text,
    }
}

diesel::table! {
    words (word) {
        word -> Text,
        n -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = parcels)]
struct Parcel {
    id: i32,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = works)]
struct Work {
    id: i32,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = words, primary_key(word))]
struct Word {
    word: String,
    n: i32,
}

fn begin(session: &mut Driver, level: &str) -> QueryResult<()> {
    session.execute(&MysqlFamily::isolate(level))?;
    session.begin()
}

fn works() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE works (id int PRIMARY KEY, status varchar(9) NOT NULL) ENGINE = InnoDB; \
         INSERT INTO works VALUES (10, 'new'), (20, 'new'), (30, 'new'), (40, 'new')",
    );
    arena
}

/// F5.
#[test]
fn a_limited_query_over_a_table_with_its_schema_goes_on_to_the_next_rows() {
    let arena = Arena::new();
    if arena.fails_on_stale_rows() {
        return;
    }
    arena.execute(
        "CREATE DATABASE IF NOT EXISTS lockset_elsewhere; \
         CREATE TABLE IF NOT EXISTS lockset_elsewhere.parcels \
         (id int PRIMARY KEY, status varchar(9) NOT NULL, batch bigint NOT NULL) ENGINE = InnoDB; \
         DELETE FROM lockset_elsewhere.parcels; \
         INSERT INTO lockset_elsewhere.parcels VALUES (1, 'new', 1), (2, 'new', 1), (3, 'new', 1), (4, 'new', 1)",
    );
    for (done, left) in [("(1)", vec![2, 3]), ("(1, 2)", vec![3, 4])] {
        let play = Play::<Driver>::new(&arena);
        let (holder, asker) = (play.session("holder"), play.session("asker"));
        let change = format!("UPDATE lockset_elsewhere.parcels SET status = 'done' WHERE id IN {done}");
        holder.run("changes", move |s| s.begin().and_then(|()| s.execute(&change))).unwrap();
        let asking = asker.start("asks", move |s| {
            begin(s, "REPEATABLE READ").unwrap();
            let first = parcels::table.filter(parcels::status.eq("new")).order(parcels::id).limit(2);
            let locked = s.lock_set(LockSet::new().query::<Parcel>(first));
            s.rollback().unwrap();
            locked.map(|locked| locked.rows::<Parcel>().iter().map(|parcel| parcel.id).collect::<Vec<_>>()).unwrap()
        });
        asking.blocked_by(&holder);
        holder.run("commits", |s| s.commit()).unwrap();
        assert_eq!(asking.join(), left);
        arena.execute("UPDATE lockset_elsewhere.parcels SET status = 'new'");
    }
}

/// F43.
#[test]
fn a_row_that_was_deleted_after_the_snapshot_is_missing_and_held_by_nobody() {
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let arena = works();
        let mut session = Driver::connect(arena.url());
        begin(&mut session, level).unwrap();
        assert_eq!(session.number("SELECT COUNT(*) FROM works").unwrap(), 4);
        let mut other = Driver::connect(arena.url());
        other.begin().unwrap();
        other.execute("SELECT 1 FROM works WHERE id = 20 FOR UPDATE").unwrap();
        other.execute("SELECT 1 FROM works WHERE id = 40 FOR UPDATE").unwrap();
        arena.execute("DELETE FROM works WHERE id = 10");
        let set = || LockSet::new().ids::<Work>([10, 30]);
        let missing = session.lock_set(set().no_wait()).unwrap_err();
        if level == "REPEATABLE READ" && arena.fails_on_stale_rows() {
            assert!(matches!(missing, LockError::Serialization { .. }), "{missing:?}");
            continue;
        }
        assert!(matches!(&missing, LockError::Missing { rows, .. } if rows.len() == 1), "{level}: {missing:?}");
        let set = || LockSet::new().ids::<Work>([10, 20, 30, 40]).allow_missing();
        let busy = session.lock_set(set().no_wait()).unwrap_err();
        assert!(matches!(&busy, LockError::Contended { rows, .. } if rows.len() == 2), "{level}: {busy:?}");
        let locked = session.lock_set(set().skip_locked()).unwrap();
        let rows: Vec<i32> = locked.rows::<Work>().iter().map(|work| work.id).collect();
        assert_eq!((rows, locked.missing().len(), locked.skipped().len()), (vec![30], 1, 2), "{level}");
        session.rollback().unwrap();
    }
}

/// It is busy if it is held, also under other letters.
///
/// F43.
#[test]
fn a_row_that_was_inserted_after_the_snapshot_is_there() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE words (word varchar(9) PRIMARY KEY, n int NOT NULL) ENGINE = InnoDB COLLATE utf8mb4_general_ci; \
         INSERT INTO words VALUES ('Ada', 1)",
    );
    let mut session = Driver::connect(arena.url());
    begin(&mut session, "REPEATABLE READ").unwrap();
    assert_eq!(session.number("SELECT COUNT(*) FROM words").unwrap(), 1);
    arena.execute("INSERT INTO words VALUES ('Bob', 2)");
    let mut other = Driver::connect(arena.url());
    other.begin().unwrap();
    other.execute("SELECT 1 FROM words WHERE word = 'bob' FOR UPDATE").unwrap();
    let words = ["ada", "bob", "eve"].map(str::to_owned);
    let locked = session.lock_set(LockSet::new().ids::<Word>(words.clone()).allow_missing().skip_locked());
    if arena.fails_on_stale_rows() {
        return assert!(matches!(locked, Err(LockError::Serialization { .. })), "{locked:?}");
    }
    let locked = locked.unwrap();
    assert_eq!((locked.rows::<Word>().len(), locked.missing().len(), locked.skipped().len()), (1, 1, 1));
    let held = session.lock_set(LockSet::new().ids::<Word>(words).allow_missing().no_wait()).unwrap_err();
    assert!(matches!(&held, LockError::Contended { rows, .. } if rows.len() == 1), "{held:?}");
}

/// Rows come in the order of their keys also where only the server knows it and some were locked late.
#[test]
fn a_row_that_takes_the_place_of_another_comes_in_its_order() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE words (word varchar(9) PRIMARY KEY, n int NOT NULL) ENGINE = InnoDB COLLATE utf8mb4_general_ci; \
         INSERT INTO words VALUES ('Ada', 3), ('bob', 1), ('Cyd', 2)",
    );
    let play = Play::<Driver>::new(&arena);
    let (holder, asker) = (play.session("holder"), play.session("asker"));
    holder.run("holds", |s| s.begin().and_then(|()| s.execute("UPDATE words SET n = 9 WHERE word = 'cyd'"))).unwrap();
    let asking = asker.start("asks", |s| {
        s.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
        let locked = s.lock_set(LockSet::new().query::<Word>(words::table.order(words::n).limit(2))).unwrap();
        locked.rows::<Word>().iter().map(|word| word.word.clone()).collect::<Vec<_>>()
    });
    asking.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(asking.join(), ["Ada", "bob"]);
}

/// F42.
#[test]
fn a_query_under_serializable_is_refused_before_a_row_is_touched() {
    let arena = works();
    let mut session = Driver::connect(arena.url());
    begin(&mut session, "SERIALIZABLE").unwrap();
    let new = || works::table.filter(works::status.eq("new")).order(works::id);
    let set = session.lock_set(LockSet::new().query::<Work>(new())).unwrap_err();
    let limited = session.lock_set(LockSet::new().query::<Work>(new().limit(1)).skip_locked()).unwrap_err();
    let pick = PickDsl::pick::<Work>(new(), 1, session.conn()).unwrap_err();
    let claim = PickDsl::claim::<Work, _>(new(), 1, works::status.eq("done"), session.conn()).unwrap_err();
    for error in [set, limited, pick, claim] {
        assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("READ COMMITTED") && !error.transaction_is_lost(), "{error}");
    }
    assert_eq!(arena.held_keys("works", "id"), [""; 0]);
    // The transaction goes on, and keys are locked in it, those that are missing and busy told apart.
    let mut other = Driver::connect(arena.url());
    other.begin().unwrap();
    other.execute("SELECT 1 FROM works WHERE id = 20 FOR UPDATE").unwrap();
    let set = LockSet::new().ids::<Work>([5, 10, 20]).allow_missing().skip_locked();
    let locked = session.lock_set(set).unwrap();
    assert_eq!((locked.rows::<Work>().len(), locked.missing().len(), locked.skipped().len()), (1, 1, 1));
}

/// F43.
#[test]
fn sets_by_key_under_serializable_do_not_deadlock_over_what_is_missing() {
    let arena = works();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let url = arena.url().to_owned();
            std::thread::spawn(move || {
                let mut session = Driver::connect(&url);
                for _ in 0..50 {
                    begin(&mut session, "SERIALIZABLE").unwrap();
                    let set = LockSet::new().ids::<Work>([10, 15, 20, 30]).allow_missing().skip_locked();
                    session.lock_set(set).unwrap();
                    session.execute("UPDATE works SET status = 'new' WHERE id = 40").unwrap();
                    session.commit().unwrap();
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}
