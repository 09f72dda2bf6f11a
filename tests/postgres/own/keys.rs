//! Keys that other servers do not have.

use diesel::prelude::*;
use diesel_lockset::LockError;
use uuid::Uuid;

use super::{Arena, Case, Driver};
use crate::support::{
    driver::Session,
    models::{Doc, Seat, Tag},
    schema::docs,
};

/// R07.
#[test]
fn uuids() {
    let row = |uid| Doc { uid: Uuid::from_u128(uid), title: String::new() };
    let case = Case {
        row: ("docs", "uid = '80000000-0000-0000-0000-000000000003'"),
        stale: row(0x8000_0000_0000_0000_0000_0000_0000_0003),
        field: |row| &row.title,
        fresh: "third",
        missing: row(4),
        named: "Doc 00000000-0000-0000-0000-000000000004",
    };
    case.holds(|| docs::table.filter(docs::title.eq("third")));
}

#[test]
fn a_key_of_ten_thousand_characters_is_found_or_missing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (long, longer) = ("ab".repeat(5_000), "ab".repeat(5_001));
    session.execute(&format!("INSERT INTO seats (section, number) VALUES ('{long}', 1)")).unwrap();
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<Seat>((long.clone(), 1)).unwrap().section, long);
    let error = session.lock_by_id::<Seat>((longer.clone(), 1)).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    let error = session.lock_by_id::<Tag>(longer).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    session.commit().unwrap();
}
