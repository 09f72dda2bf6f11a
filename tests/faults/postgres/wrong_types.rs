//! A key that is read back as another one, since `table!` names another type than the column has.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable, RunLockSet};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

diesel::table! {
    ratios (id) {
        id -> BigInt,
        v -> Integer,
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[allow(dead_code, reason = "its rows are not looked at")]
struct Ratio {
    id: i64,
    v: i32,
}

/// The row of key 2 is found, and read as one of key 4611686018427387904.
#[test]
fn a_call_that_does_not_wait_ends_although_the_row_is_read_as_another_one() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE ratios (id double precision PRIMARY KEY, v integer); INSERT INTO ratios VALUES (2, 0)");
    let (mut holder, mut session) = (Blocking::connect(arena.url()), Blocking::connect(arena.url()));
    holder.begin().unwrap();
    holder.execute("UPDATE ratios SET v = 1").unwrap();
    session.execute("SET statement_timeout = '20s'").unwrap();
    session.begin().unwrap();
    let sent = session.overhear();
    let error = session.conn().transaction(|conn| LockSet::new().id::<Ratio>(2).no_wait().lock(conn)).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("name the type of the column in `table!`"), "{error}");
    println!("{} statements", sent.take().len());
}
