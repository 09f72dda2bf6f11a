//! Rows of a table and of those that inherit from it: what has one key is not one row.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl, RunLockSet};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

diesel::table! {
    kin (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    kin_new (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    labels (label) {
        label -> Text,
        name -> Text,
    }
}

diesel::table! {
    other (id) {
        id -> Integer,
        name -> Text,
    }
}

macro_rules! models {
    ($($name:ident of $table:ident with $key:ident: $type:ty;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
        #[diesel(table_name = $table, primary_key($key))]
        struct $name {
            $key: $type,
            name: String,
        }
    )*};
}

models! {
    Parent of kin with id: i32;
    NewParent of kin_new with id: i32;
    Label of labels with label: String;
    Other of other with id: i32;
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE kin (id int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE kin_below_it (PRIMARY KEY (id)) INHERITS (kin);
         INSERT INTO kin VALUES (1, 'p'), (2, 'p'), (4, 'p'); INSERT INTO kin_below_it VALUES (1, 'c'), (3, 'c');
         CREATE TABLE labels (label text PRIMARY KEY, name text NOT NULL);
         CREATE TABLE labels_below (PRIMARY KEY (label)) INHERITS (labels);
         INSERT INTO labels VALUES ('a', 'p'), ('b', 'p'); INSERT INTO labels_below VALUES ('a', 'c'), ('z', 'c')",
    );
    arena
}

fn refused(error: &LockError) {
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("inherit"), "{error}");
}

/// F12.
#[test]
fn a_set_with_two_rows_of_one_key_is_refused_in_words() {
    let arena = arena();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    macro_rules! refused {
        ($($set:expr),* $(,)?) => {$(
            refused(&$set.lock(session.conn()).unwrap_err());
            refused(&$set.skip_locked().lock(session.conn()).unwrap_err());
            refused(&$set.no_wait().lock(session.conn()).unwrap_err());
        )*};
    }
    refused!(
        LockSet::new().id::<Parent>(1),
        LockSet::new().ids::<Parent>([1, 77]).allow_missing(),
        LockSet::new().ids::<Parent>([1, 2, 3]),
        LockSet::new().query::<Parent>(kin::table),
        LockSet::new().query::<Parent>(kin::table.order(kin::id).limit(3)),
        LockSet::new().query::<Parent>(kin::table.filter(kin::id.lt(2))).id::<Parent>(4),
        LockSet::new().id::<Label>("a"),
        LockSet::new().ids::<Label>(["a", "q"]).allow_missing(),
        LockSet::new().query::<Label>(labels::table),
    );
    let mut locked = LockSet::new().ids::<Parent>([2, 3, 4]).lock(session.conn()).unwrap();
    let rows = locked.take_rows::<Parent>().into_iter().map(|row| (row.id, row.name)).collect::<Vec<_>>();
    assert_eq!(rows, [(2, "p".into()), (3, "c".into()), (4, "p".into())]);
    let mut locked = LockSet::new().ids::<Label>(["z", "b"]).lock(session.conn()).unwrap();
    assert_eq!(locked.take_rows::<Label>().len(), 2);
}

/// F12.
#[test]
fn a_claim_changes_the_rows_that_it_has_picked_and_no_others() {
    let arena = arena();
    let changed = "SELECT count(*) FROM kin WHERE name = 'taken'";
    for n in [1, 2, 3] {
        let mut session = Blocking::connect(arena.url());
        session.begin().unwrap();
        let all = kin::table.filter(kin::name.ne("taken")).order((kin::id, kin::name));
        let claimed: Vec<Parent> = all.claim(n, kin::name.eq("taken"), session.conn()).unwrap();
        let keys: Vec<_> = claimed.iter().map(|row| row.id).collect();
        assert_eq!(keys, [1, 1, 2][..n as usize]);
        let count: i64 = diesel::sql_query(changed).load::<Count>(session.conn()).unwrap()[0].count;
        assert_eq!(count, i64::from(n));
        session.rollback().unwrap();
        session.begin().unwrap();
        let picked: Vec<Parent> = all.pick(n, session.conn()).unwrap();
        assert_eq!(picked.len(), n as usize);
        session.rollback().unwrap();
    }
    // In steps, by a query that is asked again.
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let again = diesel::alias!(kin as again);
    let query = kin::table.filter(kin::id.eq_any(again.select(again.field(kin::id)))).order(kin::id);
    let claimed: Result<Vec<Parent>, _> = query.claim(1, kin::name.eq("taken"), session.conn());
    refused(&claimed.unwrap_err());
    let count: i64 = diesel::sql_query(changed).load::<Count>(session.conn()).unwrap()[0].count;
    assert_eq!(count, 0);
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// F12.
#[test]
fn a_table_beside_its_own_part_is_refused() {
    for part in [
        "CREATE TABLE kin (id int PRIMARY KEY, name text NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE kin_new PARTITION OF kin FOR VALUES FROM (1) TO (100)",
        "CREATE TABLE kin (id int PRIMARY KEY, name text NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE kin_middle PARTITION OF kin FOR VALUES FROM (1) TO (100) PARTITION BY RANGE (id);
         CREATE TABLE kin_new PARTITION OF kin_middle FOR VALUES FROM (1) TO (100)",
        "CREATE TABLE kin (id int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE kin_new (PRIMARY KEY (id)) INHERITS (kin)",
    ] {
        let arena = Arena::new();
        arena.execute(part);
        arena.execute(
            "INSERT INTO kin_new VALUES (1, 'a'), (2, 'b'); CREATE TABLE other (id int PRIMARY KEY, name text NOT NULL);
             INSERT INTO other VALUES (1, 'o')",
        );
        let mut session = Blocking::connect(arena.url());
        session.begin().unwrap();
        let set = LockSet::new().id::<Parent>(1).id::<NewParent>(2).id::<Other>(1);
        let error = set.lock(session.conn()).unwrap_err();
        assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("partition"), "{error}");
        assert!(arena.held_keys("kin", "id").is_empty());
        LockSet::new().id::<Parent>(1).id::<Other>(1).lock(session.conn()).unwrap();
        LockSet::new().id::<NewParent>(1).id::<Other>(1).lock(session.conn()).unwrap();
    }
}
