//! Locking one instance.

use super::Driver;
use crate::{
    isolation::Play,
    support::{arena::Arena, driver::Session, models::Account, probe::Held},
};

/// Account 1 as somebody loaded it long ago.
fn stale() -> Account {
    Account { id: 1, owner: "nobody".into(), balance: -1, v: -1 }
}

#[test]
fn lock_returns_the_row_and_holds_it_to_the_end_of_the_transaction() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for commit in [true, false] {
        session.begin().unwrap();
        assert_eq!(session.lock(&stale()).unwrap().balance, 10);
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
        if commit {
            session.commit().unwrap()
        } else {
            session.rollback().unwrap()
        }
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    }
}

#[test]
fn a_second_locker_waits_and_then_sees_the_first_ones_result() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    first.run("locks", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap();
    });
    let waiting = second.start("locks too", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap()
    });
    waiting.blocked_by(&first);
    first.run("changes and commits", |s| {
        s.execute("UPDATE accounts SET owner = 'x' WHERE id = 1").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(waiting.join().owner, "x");
}
