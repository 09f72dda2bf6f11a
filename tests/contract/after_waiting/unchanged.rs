//! Rows that must be as their instances say, and are not after the wait.

use diesel_lockset::{LockError, LockSet};

use super::super::unchanged::ada;
use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Account, probe::Held},
};

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
