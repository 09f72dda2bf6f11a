//! Rows are locked one by one: nobody waits for another row.

use diesel_lockset::LockSet;

use super::{Arena, Driver, one_row::stale, stale::accounts};
use crate::{
    isolation::Play,
    support::{driver::Session, probe::Held},
};

/// A04.
#[test]
fn only_that_row_is_locked() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (locker, other) = (play.session("locker"), play.session("other"));
    locker.run("locks 1", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap()
    });
    arena.assert_held("accounts", "id", &["1"]);
    let inserts = "INSERT INTO accounts (id, owner, balance) VALUES (6, 'new', 0), (0, 'before', 0)";
    assert_eq!(other.run("inserts around it", |s| s.execute(inserts)), Ok(2));
    assert_eq!(other.run("updates another", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 2")), Ok(1));
}

/// H19.
#[test]
fn rows_that_are_not_members_stay_free_also_in_a_tiny_table() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.lock_set(LockSet::new().rows(&accounts([1, 3, 4, 5]))).unwrap();
    assert_eq!(arena.probe("accounts", "id = 2"), Held::Free);
    // Would hang, and so fail, if it had to wait for the set.
    arena.execute("INSERT INTO accounts (id, owner, balance) VALUES (6, 'fay', 60)");
    assert_eq!(arena.probe("accounts", "id = 6"), Held::Free);
    session.commit().unwrap();
}
