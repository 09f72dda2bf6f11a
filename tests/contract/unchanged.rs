//! Rows that must be as their instances say.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Seat},
        probe::Held,
    },
};

fn ada() -> Account {
    Account { id: 1, owner: "ada".into(), balance: 10, v: 0 }
}

#[test]
fn a_row_that_is_as_it_was_loaded_is_locked_by_no_statement_more() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut sent = Vec::new();
    // On MySQL and MariaDB the first set of a session asks about the tables.
    for unchanged in [false, false, true] {
        session.begin().unwrap();
        let heard = session.overhear();
        let set = LockSet::new().id::<Account>(2);
        let set = if unchanged { set.unchanged(&ada()) } else { set.row(&ada()) };
        let locked = session.lock_set(set).unwrap();
        assert_eq!((locked.id::<Account>(1).unwrap(), locked.rows::<Account>().len()), (&ada(), 2));
        sent.push(heard.take());
        session.rollback().unwrap();
    }
    assert_eq!(sent[1], sent[2]);
}

#[test]
fn a_row_that_changed_while_it_was_waited_for_is_stale_and_locked() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (writer, reader) = (play.session("writer"), play.session("reader"));
    writer.run("changes", |s| {
        s.begin().unwrap();
        s.execute("UPDATE accounts SET balance = 70, v = 1 WHERE id = 1").unwrap();
    });
    let waiting = reader.start("locks what it was shown", |s| {
        s.begin().unwrap();
        s.lock_set(LockSet::new().unchanged(&ada()).id::<Account>(2))
    });
    waiting.blocked_by(&writer);
    writer.run("commits", |s| s.commit().unwrap());
    let error = waiting.join().unwrap_err();
    let LockError::Stale { rows } = &error else { panic!("{error:?}") };
    assert_eq!(rows[0].row.key_of::<Account>(), Some(&1));
    let fields = rows[0].fields.iter().map(|field| (&*field.name, &*field.loaded, &*field.now));
    assert_eq!(fields.collect::<Vec<_>>(), [("balance", "10", "70"), ("v", "0", "1")]);
    assert!(!error.is_retryable() && !error.is_contended() && !error.transaction_is_lost(), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("Account 1 (balance: 10 is now 70, v: 0 is now 1) has changed since it was loaded"),
        "{text}"
    );
    // All rows of the set are held, and the transaction goes on.
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
    reader.run("goes on", |s| {
        s.execute("UPDATE accounts SET v = 9 WHERE id = 1").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

#[test]
fn every_stale_row_of_every_model_is_named() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let ben: Account = session.lock_by_id(2).unwrap();
    let seat: Seat = session.lock_by_id(("A".to_owned(), 1)).unwrap();
    let poorer = Account { balance: ben.balance - 1, ..ben.clone() };
    let set = LockSet::new().unchanged(&poorer).unchanged(&seat).unchanged(&Account { v: 3, ..ada() }).no_wait();
    let error = session.lock_set(set).unwrap_err();
    let LockError::Stale { rows } = &error else { panic!("{error:?}") };
    let keys: Vec<_> = rows.iter().map(|stale| stale.row.key_of::<Account>().copied()).collect();
    assert_eq!(keys, [Some(2), Some(1)]);
    assert!(error.to_string().contains("have changed since"), "{error}");
    // Asked for twice, as it is and as it was.
    let set = LockSet::new().unchanged(&ada()).unchanged(&Account { v: 3, ..ada() });
    assert!(matches!(session.lock_set(set), Err(LockError::Stale { rows }) if rows.len() == 1));
}

#[test]
fn a_row_that_is_gone_is_missing_and_not_stale() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let gone = Account { id: 77, ..ada() };
    let error = session.lock_set(LockSet::new().unchanged(&gone)).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let locked = session.lock_set(LockSet::new().unchanged(&gone).allow_missing()).unwrap();
    assert_eq!(locked.missing().len(), 1);
}
