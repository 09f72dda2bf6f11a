//! Tables of several schemas.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet};

use super::{
    Arena, Case, Driver,
    verbs::{PickDsl, RunLockQuery},
};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Job, S1Item, S2Item, Tag},
        schema::{s1_items, s2_items},
    },
};

/// R03.
#[test]
fn a_table_of_another_schema() {
    let row = |id| S1Item { id, name: String::new() };
    let case = Case {
        row: ("s1.items", "id = 2"),
        stale: row(2),
        field: |row| &row.name,
        fresh: "s1 two",
        missing: row(3),
        named: "S1Item 3",
    };
    case.holds(|| s1_items::table.filter(s1_items::name.like("%two")));
}

/// H23.
#[test]
fn one_table_name_in_two_schemas_is_two_tables() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().id::<S2Item>(1).ids::<S1Item>([1, 2])).unwrap();
    assert_eq!(locked.id::<S1Item>(1).unwrap().name, "s1 one");
    assert_eq!(locked.id::<S2Item>(1).unwrap().name, "s2 one");
    assert_eq!(arena.held_keys("s1.items", "id"), ["1", "2"]);
    assert_eq!(arena.held_keys("s2.items", "id"), ["1"]);
    session.commit().unwrap();
}

/// H05, H23.
#[test]
fn tables_are_locked_in_the_order_of_their_names_with_the_schema_in_front() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    // "accounts" < "jobs" < "s1"."items" < "s2"."items" < "tags"
    let tables = ["accounts", "jobs", "s1.items", "s2.items", "tags"];
    let keys = ["id", "id", "id", "id", "name"];
    let first = ["id = 1", "id = 1", "id = 1", "id = 1", "name = 'apple'"];
    for (at, table) in tables.iter().enumerate() {
        let hold = format!("SELECT 1 FROM {table} WHERE {} FOR UPDATE", first[at]);
        outsider.run("holds one table's row", move |s| {
            s.begin().unwrap();
            s.execute(&hold).unwrap();
        });
        let waiting = locker.start("locks a row of each", |s| {
            s.begin().unwrap();
            let set = LockSet::new().id::<S2Item>(1).id::<Tag>("apple").id::<Job>(1).id::<S1Item>(1).id::<Account>(1);
            s.lock_set(set).map(|_| ()).and_then(|()| Ok(s.rollback()?))
        });
        waiting.blocked_by(&outsider);
        for (i, table) in tables.iter().enumerate() {
            assert_eq!(arena.held_keys(table, keys[i]).len(), usize::from(i <= at), "{table}");
        }
        outsider.run("commits", |s| s.commit().unwrap());
        waiting.join().unwrap();
    }
}

/// H23.
///
/// `OF items` means the first table that is called so, whatever its schema.
#[test]
fn a_clause_that_would_mean_the_table_of_another_schema_is_refused() {
    #[diesel::dsl::auto_type]
    fn behind() -> _ {
        s1_items::table.inner_join(s2_items::table.on(s2_items::id.eq(s1_items::id))).order(s2_items::id)
    }
    #[diesel::dsl::auto_type]
    fn before() -> _ {
        s2_items::table.inner_join(s1_items::table.on(s2_items::id.eq(s1_items::id))).order(s2_items::id)
    }
    let of_the_second = || before().select(S2Item::as_select()).for_update_of(s2_items::table);
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    for _ in 0..2 {
        let conn = session.conn();
        let of_behind = || behind().select(S2Item::as_select()).for_update_of(s2_items::table);
        let refused: [Result<Vec<S2Item>, LockError>; 7] = [
            behind().pick(1, conn),
            behind().into_boxed().pick(1, conn),
            behind().claim(1, s2_items::name.eq("x"), conn),
            of_behind().pick(1, conn),
            RunLockQuery::load(of_behind(), conn),
            RunLockQuery::load(of_behind().no_wait(), conn),
            RunLockQuery::load(of_behind().timeout(std::time::Duration::from_secs(9)), conn),
        ];
        for result in refused {
            let error = result.unwrap_err();
            assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
            assert!(error.to_string().contains("another table of the same name"), "{error}");
        }
    }
    assert!(arena.held_keys("s1.items", "id").is_empty());
    let picked: Option<S2Item> = before().pick_next(session.conn()).unwrap();
    assert_eq!(picked.map(|item| item.id), Some(1));
    let loaded: Vec<S2Item> = RunLockQuery::load(of_the_second().no_wait(), session.conn()).unwrap();
    assert_eq!(loaded.len(), arena.held_keys("s2.items", "id").len());
    assert!(arena.held_keys("s1.items", "id").is_empty());
    let locked = session.lock_set(LockSet::new().query::<S2Item>(behind())).unwrap();
    assert_eq!(locked.rows::<S2Item>().len(), loaded.len());
}
