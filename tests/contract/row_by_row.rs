//! Rows are locked one by one: nobody waits for another row.

use super::{Arena, Driver, one_row::stale};
use crate::{isolation::Play, support::driver::Session};

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
