//! Keys and names full of quotes, SQL and far-away characters: values travel as values, names are quoted.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, stale::tag};
use crate::support::{
    driver::Session,
    models::{Blob, OddOrder, Seat, Tag},
    schema::{odd_order, seats, tags},
};

const HOSTILE: [&str; 16] = [
    "'",
    "''",
    "\"",
    "`",
    "it's \"quoted\" `twice`",
    "'; DROP TABLE accounts; --",
    "') OR 1 = 1 --",
    "a' OR 'a' = 'a",
    "{1,2,NULL}",
    "NULL",
    "$1 ? :name %s",
    "comma, {brace} and (bracket)",
    " leading and trailing ",
    "two\nlines\tand a tab",
    "\u{202e}right to left, \u{200b}zero width",
    "👩‍👩‍👧 Ünïcödé ß 漢字",
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn hostile_keys_are_found_and_locked_one_by_one_and_together() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for key in HOSTILE {
        session.execute(&format!("INSERT INTO tags (name) VALUES ({})", quoted(key))).unwrap();
    }
    session.begin().unwrap();
    for key in HOSTILE {
        assert_eq!(session.lock(&tag(key)).unwrap().name, key);
        assert_eq!(session.lock_by_id::<Tag>(key).unwrap().uses, 0);
    }
    let hostile = tags::table.filter(tags::name.eq_any(HOSTILE)).order(tags::name.desc()).limit(9);
    let locked = session.lock_set(LockSet::new().ids::<Tag>(HOSTILE).query::<Tag>(hostile)).unwrap();
    assert_eq!(locked.rows::<Tag>().len(), HOSTILE.len());
    for key in HOSTILE {
        assert_eq!(locked.id::<Tag>(key).unwrap().name, key);
    }
    let others = if Arena::LOCKS_ROWS { 0 } else { 6 };
    assert_eq!(arena.held_keys("tags", "name").len(), HOSTILE.len() + others);
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts"), 5);
}

#[test]
fn hostile_keys_that_do_not_exist_are_missing_and_harm_nobody() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().ids::<Tag>(HOSTILE)).unwrap_err();
    assert!(!error.to_string().contains('\n'), "a message is one line: {error}");
    assert!(error.to_string().contains(r#"Tag "two\nlines\tand a tab""#), "{error}");
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    assert!(rows.iter().map(|row| row.key().get::<String>().unwrap()).eq(HOSTILE));
    arena.assert_free("tags", "name");
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts"), 5);
    assert_eq!(arena.number("SELECT count(*) FROM tags"), 6);
}

#[test]
fn hostile_composite_keys_are_taken_column_by_column() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (number, key) in HOSTILE.iter().enumerate() {
        session.execute(&format!("INSERT INTO seats (section, number) VALUES ({}, {number})", quoted(key))).unwrap();
    }
    let keys = || HOSTILE.iter().enumerate().map(|(number, key)| (key.to_string(), i32::try_from(number).unwrap()));
    let beside = |(section, number): (String, i32)| (section, number + 1);
    session.begin().unwrap();
    let free = seats::table.filter(seats::section.eq_any(HOSTILE)).limit(3);
    let set = LockSet::new().ids::<Seat>(keys()).ids::<Seat>(keys().map(beside)).query::<Seat>(free).allow_missing();
    let locked = session.lock_set(set).unwrap();
    assert_eq!(locked.rows::<Seat>().len(), HOSTILE.len());
    for key in keys() {
        assert_eq!(locked.id::<Seat>(&key).unwrap().section, key.0);
    }
    assert_eq!(locked.missing().len(), HOSTILE.len());
    session.commit().unwrap();
}

#[test]
fn the_empty_key_and_keys_of_zero_bytes_are_keys_like_others() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<Tag>("").unwrap().name, "");
    assert_eq!(session.lock_by_id::<Blob>(vec![0, 255]).unwrap().body, "zero byte first");
    let locked = session.lock_set(LockSet::new().ids::<Blob>([vec![], vec![0x80], vec![0x7f], vec![0, 255]])).unwrap();
    let keys: Vec<_> = locked.rows::<Blob>().iter().map(|blob| &*blob.key).collect();
    assert_eq!(keys, [&[][..], &[0, 255], &[0x7f], &[0x80]]);
    let error = session.lock_by_id::<Blob>(vec![0]).unwrap_err();
    assert_eq!(error.to_string(), "Blob [0] does not exist: deleted since it was loaded, or never there");
    session.commit().unwrap();
}

/// R03.
#[test]
fn a_table_whose_names_are_words_of_sql_is_locked_in_every_form() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<OddOrder>(2).unwrap().category, "service");
    let calm = || odd_order::table.filter(odd_order::nowait.eq(0));
    let first = calm().order(odd_order::kind.desc()).limit(1);
    let set = LockSet::new().id::<OddOrder>(3).query::<OddOrder>(first).query::<OddOrder>(calm().distinct());
    let locked = session.lock_set(set).unwrap();
    let categories: Vec<_> = locked.rows::<OddOrder>().iter().map(|order| (order.code, &*order.category)).collect();
    assert_eq!(categories, [(1, "merit"), (2, "service"), (3, "magnitude")]);
    session.commit().unwrap();
}
