//! Sets of very many rows: one statement, whatever their number.

use std::time::{Duration, Instant};

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, stale::account};
use crate::support::{
    driver::Session,
    models::{Account, Seat},
    probe::Held,
    server::Server,
};

/// More than any server takes parameters (65,535).
const MANY: i32 = 100_000;

/// Generous: it takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// H17.
#[test]
fn a_hundred_thousand_instances_are_locked_and_come_back_in_one_statement() {
    let arena = Arena::new();
    arena.execute(&format!(
        "DELETE FROM accounts; {}",
        insert("accounts (id, owner, balance)", |id| format!("({id}, 'x', {id})"))
    ));
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    // Every row, backwards, and every tenth once more.
    let instances: Vec<Account> = (1..=MANY).rev().chain((1..=MANY).step_by(10)).map(account).collect();
    session.begin().unwrap();
    sent.take();
    let begin = Instant::now();
    let mut locked = session.lock_set(LockSet::new().rows(&instances)).unwrap();
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    super::assert_sent(sent.take().len(), 1, "a hundred thousand");
    assert_eq!(locked.row(&account(MANY)).unwrap().balance, MANY);
    let rows = locked.take_rows::<Account>();
    assert!(rows.iter().map(|account| (account.id, account.balance)).eq((1..=MANY).map(|id| (id, id))));
    for id in [1, 2, MANY / 2, MANY] {
        assert_eq!(arena.probe("accounts", &format!("id = {id}")), Held::Held);
    }
    session.commit().unwrap();
}

/// H17.
#[test]
fn very_many_composite_keys_are_locked_and_the_missing_ones_named() {
    let arena = Arena::new();
    arena.execute(&insert("seats (section, number)", |id| format!("('S', {id})")));
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    session.begin().unwrap();
    sent.take();
    let many = <Driver as Session>::Server::MANY_COMPOSITE_KEYS;
    let keys = || (1..=many).map(|number| ("S".to_owned(), number)).chain([("T".to_owned(), 1)]);
    let begin = Instant::now();
    let error = session.lock_set(LockSet::new().ids::<Seat>(keys())).unwrap_err();
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Seat (\"T\", 1)"]);
    let locked = session.lock_set(LockSet::new().ids::<Seat>(keys()).allow_missing()).unwrap();
    assert_eq!(locked.rows::<Seat>().len(), usize::try_from(many).unwrap());
    // The key that did not come back might be another spelling of one that did, or that of a row which cannot be locked: the server
    // is asked both, each time.
    super::assert_sent(sent.take().len(), 6, "very many");
    assert_eq!(arena.probe("seats", &format!("section = 'S' AND number = {many}")), Held::Held);
    let beyond = if Arena::LOCKS_ROWS { Held::Free } else { Held::Held };
    assert_eq!(arena.probe("seats", &format!("section = 'S' AND number = {}", many + 1)), beyond);
    session.commit().unwrap();
}

/// One statement that inserts [`MANY`] rows.
fn insert(into: &str, row: impl Fn(i32) -> String) -> String {
    let rows: Vec<String> = (1..=MANY).map(row).collect();
    format!("INSERT INTO {into} VALUES {}", rows.join(", "))
}
