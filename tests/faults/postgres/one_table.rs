//! One table is one table, however many `table!`s name it.

use diesel::prelude::*;
use diesel_lockset::*;

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
};

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

mod public {
    diesel::table! {
        public.accounts (id) {
            id -> Integer,
            balance -> Integer,
        }
    }
}

mod elsewhere {
    diesel::table! {
        elsewhere.accounts (id) {
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
#[diesel(table_name = public::accounts)]
struct InPublic {
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
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    type Set = fn() -> LockSet<'static, diesel::pg::Pg>;
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
    let mut session = Blocking::connect(arena.url());
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

#[test]
fn a_table_with_its_schema_and_without_is_refused_and_two_tables_are_two() {
    let arena = Arena::new();
    arena.execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.accounts (id int PRIMARY KEY, balance int NOT NULL); INSERT INTO elsewhere.accounts VALUES (1, 1)");
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().id::<Account>(1).id::<InPublic>(2)).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("one table under two names"), "{error}");
    assert_eq!(arena.held_keys("accounts", "id"), [""; 0]);
    let two = session.lock_set(LockSet::new().id::<Account>(1).id::<Elsewhere>(1)).unwrap();
    assert_eq!((two.rows::<Account>().len(), two.rows::<Elsewhere>().len()), (1, 1));
    // With another path, the other two are one.
    session.execute("SET LOCAL search_path = elsewhere").unwrap();
    session
        .execute("ALTER TABLE elsewhere.accounts ADD owner text NOT NULL DEFAULT '', ADD v int NOT NULL DEFAULT 0")
        .unwrap();
    let error = session.lock_set(LockSet::new().id::<Account>(1).id::<Elsewhere>(1)).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
    session.lock_set(LockSet::new().id::<Account>(1).id::<InPublic>(1)).unwrap();
}
