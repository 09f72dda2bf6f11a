//! `name_holders` and deadlocks: the victim is told who was in its way, and keeps its transaction.

use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    waiting::{holder, messages},
};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{driver::Session, models::Account, patience::until},
};

/// Two sessions that lock what the other one holds, asking for holders: the victim, what it was told, and the other one
/// with its wait.
struct Cross {
    victim: Actor<Driver>,
    error: LockError,
    other: Actor<Driver>,
    waiting: Pending<Result<(), LockError>>,
}

fn cross(play: &Play<Driver>) -> Cross {
    let first = holder(play, "first", |set| set.id::<Account>(1));
    let second = holder(play, "second", |set| set.id::<Account>(2));
    let locks = |id| move |s: &mut Driver| s.lock_set(LockSet::new().id::<Account>(id).name_holders()).map(drop);
    let one = first.start("locks 2", locks(2));
    one.blocked_by(&second);
    let two = second.start("locks 1", locks(1));
    let first_lost = until(|| match (one.has_ended(), two.has_ended()) {
        (false, false) => None,
        (ended, _) => Some(ended),
    });
    // The victim still holds its own row, so the other one still waits.
    if first_lost.expect("a victim") {
        two.blocked_by(&first);
        Cross { victim: first, error: one.join().unwrap_err(), other: second, waiting: two }
    } else {
        one.blocked_by(&second);
        Cross { victim: second, error: two.join().unwrap_err(), other: first, waiting: one }
    }
}

/// P01, P05.
#[test]
fn the_victim_of_a_deadlock_names_the_other_one_and_keeps_its_transaction() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let Cross { victim, error, other, waiting } = cross(&play);
    let LockError::Deadlock { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    assert!(attempt.rolled_back() && !error.transaction_is_lost() && error.is_retryable(), "{error:?}");
    assert_eq!(attempt.holders().iter().map(diesel_lockset::error::Holder::session).collect::<Vec<_>>(), [other.pid()]);
    assert_eq!(attempt.rows().len(), 1);
    assert!(attempt.table().contains("accounts"));
    victim.run("goes on and commits", |s| {
        assert_eq!(s.execute("UPDATE accounts SET v = 1 WHERE id = 3"), Ok(1));
        s.commit().unwrap();
    });
    waiting.join().unwrap();
    other.run("commits", |s| s.commit()).unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 3"), 1);
    assert!(arena.held_keys("accounts", "id").is_empty());
}

/// P01.
#[test]
fn the_message_of_a_deadlock_says_what_was_wanted_and_who_had_it() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let Cross { victim, error, other, waiting } = cross(&play);
    let text = error.to_string();
    let LockError::Deadlock { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    let wanted = format!(
        "deadlock after {} ms waiting for rows of {} ({}); held by session {}",
        attempt.waited().as_millis(),
        attempt.table(),
        attempt.rows()[0],
        other.pid()
    );
    assert!(text.starts_with(&wanted), "{text}\nshould begin\n{wanted}");
    assert!(text.ends_with(": this transaction was chosen to give way to another; run all of it again"), "{text}");
    messages::never_repeats_itself(&error);
    victim.run("rolls back", |s| s.rollback()).unwrap();
    waiting.join().unwrap();
}
