//! Instances and keys: fresh, or missing.

use diesel_lockset::{LockError, LockSet};

use super::{
    Driver, Scene,
    stale::{account, account_ids, accounts, event, job, seat},
};
use crate::support::{
    driver::Session,
    models::{Account, Event, Seat},
};

const CHANGE_3: &str = "UPDATE accounts SET owner = 'fresh' WHERE id = 3";
const DELETE_3: &str = "DELETE FROM accounts WHERE id = 3";

fn account_3(s: &mut Driver) -> Result<Account, LockError> {
    s.lock(&account(3))
}

/// F01, H11.
#[test]
fn a_changed_row_comes_back_with_what_the_holder_wrote() {
    let scene = Scene::new();
    let owners = scene.after(CHANGE_3, |s| {
        let locked = s.lock_set(LockSet::new().rows(&accounts([5, 3, 1]))).unwrap();
        locked.rows::<Account>().iter().map(|account| account.owner.clone()).collect::<Vec<_>>()
    });
    assert_eq!(owners, ["ada", "fresh", "eve"]);
    assert_eq!(scene.held("accounts", "id"), ["1", "3", "5"]);
}

/// F01.
#[test]
fn a_changed_row_comes_back_fresh_for_one_instance_and_one_key() {
    let scene = Scene::of("accounts");
    assert_eq!(scene.after(CHANGE_3, |s| account_3(s).unwrap().owner), "fresh");
    assert_eq!(scene.after(CHANGE_3, |s| s.lock_by_id::<Account>(3).unwrap().owner), "fresh");
}

/// A20.
#[test]
fn a_change_that_was_undone_was_none() {
    let scene = Scene::new();
    let account = scene.after_undoing(CHANGE_3, |s| account_3(s).unwrap());
    assert_eq!(account, Account { id: 3, owner: "cleo".into(), balance: 5, v: 0 });
    assert_eq!(scene.held("accounts", "id"), ["3"]);
}

/// F04.
#[test]
fn a_deleted_row_is_missing() {
    let scene = Scene::new();
    let outcome = scene
        .after(DELETE_3, |s| s.lock_set(LockSet::new().rows(&accounts([5, 3, 1]))).map(|locked| account_ids(&locked)));
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "Account 3 does not exist: deleted since it was loaded, or never there");
    assert_eq!(scene.held("accounts", "id"), ["1", "5"]);
}

/// F04.
#[test]
fn a_deleted_row_is_missing_for_one_instance_and_comes_back_if_the_deletion_is_undone() {
    let scene = Scene::of("accounts");
    let error = scene.after(DELETE_3, account_3).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    assert_eq!(scene.after_undoing(DELETE_3, account_3).unwrap().owner, "cleo");
}

/// F04.
#[test]
fn a_deleted_row_that_may_be_missing_is_named_beside_the_others() {
    let scene = Scene::new();
    let (ids, missing) = scene.after(DELETE_3, |s| {
        let locked = s.lock_set(LockSet::new().ids::<Account>([1, 3]).allow_missing()).unwrap();
        (account_ids(&locked), locked.missing().to_vec())
    });
    assert_eq!(ids, [1]);
    assert_eq!(missing.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Account 3"]);
}

/// F04.
#[test]
fn a_row_whose_key_was_changed_is_missing_under_the_old_one() {
    let scene = Scene::new();
    let error = scene.after("UPDATE accounts SET id = 30 WHERE id = 3", account_3).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
}

/// F01, H14.
#[test]
fn a_changed_row_with_a_composite_key_comes_back_fresh() {
    let scene = Scene::new();
    let seats = scene.after("UPDATE seats SET holder = 'fresh' WHERE section = 'A' AND number = 2", |s| {
        let set = LockSet::new().row(&seat("B", 1)).row(&seat("A", 2)).row(&seat("A", 1));
        s.lock_set(set).unwrap().take_rows::<Seat>()
    });
    let holders: Vec<_> = seats.iter().map(|seat| (&*seat.section, seat.number, seat.holder.as_deref())).collect();
    assert_eq!(holders, [("A", 1, None), ("A", 2, Some("fresh")), ("B", 1, None)]);
    assert_eq!(scene.held("seats", "(section, number)"), ["(A,1)", "(A,2)", "(B,1)"]);
}

/// F04, H14.
#[test]
fn a_deleted_row_with_a_composite_key_is_missing_unless_the_deletion_is_undone() {
    let delete = "DELETE FROM seats WHERE section = 'A' AND number = 2";
    let lock = |s: &mut Driver| {
        let set = LockSet::new().row(&seat("B", 1)).row(&seat("A", 2)).row(&seat("A", 1));
        s.lock_set(set).map(|locked| locked.rows::<Seat>().len())
    };
    let scene = Scene::of("seats");
    let error = scene.after(delete, lock).unwrap_err();
    assert!(error.to_string().starts_with("Seat (\"A\", 2) does not exist"), "{error}");
    assert_eq!(scene.after_undoing(delete, lock).unwrap(), 3);
}

/// F01, F04.
#[test]
fn rows_of_a_partitioned_table_come_back_fresh_or_are_missing() {
    let lock = |s: &mut Driver| {
        let set = LockSet::new().row(&event(3, "east")).row(&event(1, "south")).row(&event(1, "north"));
        let locked = s.lock_set(set);
        locked.map(|mut locked| locked.take_rows::<Event>().into_iter().map(|event| event.note).collect::<Vec<_>>())
    };
    let scene = Scene::of("events");
    let notes = scene.after("UPDATE events SET note = 'fresh' WHERE id = 1 AND region = 'south'", lock).unwrap();
    assert_eq!(notes, ["", "fresh", ""]);
    assert_eq!(scene.held("events", "(id, region)"), ["(1,north)", "(1,south)", "(3,east)"]);
    let error = scene.after("DELETE FROM events WHERE id = 1 AND region = 'south'", lock).unwrap_err();
    assert!(error.to_string().starts_with("Event (1, \"south\") does not exist"), "{error}");
}

/// F01, F04.
#[test]
fn what_happens_to_the_first_table_does_not_keep_the_second_from_being_fresh() {
    let scene = Scene::new();
    // The set waits at the accounts; what the holder did to the jobs it sees when it comes to them.
    let change = "UPDATE accounts SET owner = 'fresh' WHERE id = 1; UPDATE jobs SET payload = 'fresh' WHERE id = 1";
    let (owner, payload) = scene.after(change, |s| {
        let set = LockSet::new().row(&job(1)).row(&account(1));
        let locked = s.lock_set(set).unwrap();
        (locked.row(&account(1)).unwrap().owner.clone(), locked.row(&job(1)).unwrap().payload.clone())
    });
    assert_eq!([owner, payload], ["fresh", "fresh"]);
}
