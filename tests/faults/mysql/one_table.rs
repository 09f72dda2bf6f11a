//! One table is one table, however many `table!`s name it.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::*;

use super::{Arena, Driver};
use crate::support::{driver::Session, models::Account};

mod by_section {
    diesel::table! {
        seats (section, number) {
            section -> Text,
            number -> Integer,
        }
    }
}

mod by_number {
    diesel::table! {
        seats (number, section) {
            section -> Text,
            number -> Integer,
        }
    }
}

mod once_more {
    diesel::table! {
        seats (section, number) {
            section -> Text,
            number -> Integer,
        }
    }
}

mod by_one {
    diesel::table! {
        seats (number) {
            section -> Text,
            number -> Integer,
        }
    }
}

mod elsewhere {
    diesel::table! {
        lockset_elsewhere.accounts (id) {
            id -> Integer,
            balance -> Integer,
        }
    }
}

mod loud {
    diesel::table! {
        #[sql_name = "ACCOUNTS"]
        accounts (id) {
            id -> Integer,
            balance -> Integer,
        }
    }
}

macro_rules! seats {
    ($($name:ident of $table:ident by $($key:ident),+;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
        #[diesel(table_name = $table::seats, primary_key($($key),+))]
        struct $name {
            section: String,
            number: i32,
        }
    )*};
}

seats! {
    BySection of by_section by section, number;
    ByNumber of by_number by number, section;
    OnceMore of once_more by section, number;
    ByOne of by_one by number;
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = loud::accounts)]
struct Loud {
    id: i32,
    balance: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = elsewhere::accounts)]
struct Elsewhere {
    id: i32,
    balance: i32,
}

#[test]
fn models_that_name_the_key_of_one_table_differently_are_refused_before_anything_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    type Set = fn() -> LockSet<'static, diesel::mysql::Mysql>;
    let sets: [(&str, Set); 4] = [
        ("keys", || LockSet::new().id::<BySection>(("A".to_owned(), 1)).id::<ByNumber>((1, "A".to_owned()))),
        ("queries", || {
            let (a, b) = (by_section::seats::table, by_number::seats::table);
            LockSet::new()
                .query::<BySection>(a.filter(by_section::seats::number.eq(1)))
                .query::<ByNumber>(b.filter(by_number::seats::number.eq(2)))
        }),
        ("a part of the key", || LockSet::new().id::<BySection>(("A".to_owned(), 1)).id::<ByOne>(1)),
        ("no_wait", || LockSet::new().query::<ByOne>(by_one::seats::table).query::<ByNumber>(by_number::seats::table)),
    ];
    for (what, set) in sets {
        session.begin().unwrap();
        sent.take();
        for error in [session.lock_set(set()), session.lock_set(set().no_wait()), session.lock_set(set().skip_locked())]
        {
            let error = error.unwrap_err();
            assert!(matches!(error, LockError::Unsupported { .. }), "{what}: {error:?}");
            assert!(error.to_string().contains("primary key") && !error.transaction_is_lost(), "{what}: {error}");
        }
        assert_eq!(sent.take(), [""; 0], "{what}");
        session.rollback().unwrap();
    }
    assert_eq!(arena.held_keys("seats", "number"), [""; 0]);
}

#[test]
fn models_that_name_the_key_of_one_table_alike_are_merged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let seats: Vec<BySection> = by_section::seats::table
        .order((by_section::seats::section, by_section::seats::number))
        .load(session.conn())
        .unwrap();
    let (first, second) = (seats[0].clone(), seats[1].clone());
    let key = |seat: &BySection| (seat.section.clone(), seat.number);
    let set = LockSet::new().row(&first).id::<OnceMore>(key(&second));
    let locked = session.lock_set(set).unwrap();
    assert_eq!((locked.rows::<BySection>().len(), locked.rows::<OnceMore>().len()), (1, 1));
}

/// With the name of its database and without; and in other letters, where the server takes those for the same.
#[test]
fn a_table_under_two_names_is_refused_and_two_tables_are_two() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    // `USE` makes the database of the one that of the other.
    session.execute("CREATE DATABASE IF NOT EXISTS lockset_elsewhere").unwrap();
    session.execute("CREATE TABLE IF NOT EXISTS lockset_elsewhere.accounts (id int PRIMARY KEY, owner varchar(40) NOT NULL DEFAULT '', balance int NOT NULL, v int NOT NULL DEFAULT 0) ENGINE = InnoDB").unwrap();
    session.execute("INSERT IGNORE INTO lockset_elsewhere.accounts (id, balance) VALUES (1, 1)").unwrap();
    let set = || LockSet::new().id::<Account>(1).id::<Elsewhere>(1);
    let two = session.lock_set(set()).unwrap();
    assert_eq!((two.rows::<Account>().len(), two.rows::<Elsewhere>().len()), (1, 1));
    session.rollback().unwrap();
    session.begin().unwrap();
    let letters = session.lock_set(LockSet::new().id::<Account>(1).id::<Loud>(1));
    match session.number("SELECT @@lower_case_table_names").unwrap() {
        0 => assert!(matches!(letters, Err(LockError::Query(_))), "there is none: {letters:?}"),
        _ => assert!(matches!(letters, Err(LockError::Unsupported { .. })), "{letters:?}"),
    }
    session.rollback().unwrap();
    let own = arena.name().to_owned();
    session.conn().batch_execute("USE lockset_elsewhere").unwrap();
    session.begin().unwrap();
    let error = session.lock_set(set()).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("one table under two names") && !error.transaction_is_lost(), "{error}");
    session.rollback().unwrap();
    session.conn().batch_execute(&format!("USE {own}")).unwrap();
}
