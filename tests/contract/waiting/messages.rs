//! What the errors say: which table, which rows, how long, and what to do.

use std::{error::Error, time::Duration};

use diesel::result::Error as DieselError;
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, beginner, holder, stale};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Order, Seat},
    },
};

const SHORT: Duration = Duration::from_millis(50);

/// No link of the chain of sources says what one before it has said.
pub(crate) fn never_repeats_itself(error: &LockError) {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        assert!(said.iter().all(|before| !before.contains(&text) && !text.contains(before)), "{said:?}, then {text}");
        said.push(text);
        next = source.source();
    }
}

/// P02, P07.
#[test]
fn contention_names_the_rows_and_who_holds_them() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| {
        set.ids::<Account>([1, 2]).ids::<Seat>([("A".to_owned(), 2), ("B".to_owned(), 1)])
    });
    let hasty = beginner(&play, "hasty");
    let told = "held by another transaction, and this call was told not to wait";
    let one = hasty.run("tries one", |s| s.no_wait(&stale()).unwrap_err());
    assert!(one.to_string().starts_with(&format!("Account 1 is {told}")), "{one}");
    let seats = |s: &mut Driver| {
        let seats = [("A", 1), ("B", 1), ("A", 2)].map(|(section, number)| (section.to_owned(), number));
        s.lock_set(LockSet::new().ids::<Seat>(seats).no_wait()).unwrap_err()
    };
    let two = hasty.run("tries seats", seats);
    assert!(two.to_string().starts_with(&format!("Seat (\"A\", 2) and Seat (\"B\", 1) are {told}")), "{two}");
    let named = |s: &mut Driver| s.lock_set(LockSet::new().row(&stale()).no_wait().name_holders()).unwrap_err();
    let named = hasty.run("tries and asks who", named);
    assert!(named.to_string().contains(&told_of(&format!("{told}; "), &named, holder.pid())), "{named}");
    assert_eq!(named.rows().len(), 1);
    assert!(!one.to_string().contains("session"), "{one}");
    for error in [&one, &two, &named] {
        never_repeats_itself(error);
        // No server's error, only the class.
        assert!(matches!(error, LockError::Contended { source: None, .. }), "{error:?}");
        assert_eq!(error.source().unwrap().to_string(), "the lock could not be had at once");
    }
    // The way through a closure that returns Diesel's error.
    let text = named.to_string();
    let named = LockError::from(DieselError::from(named));
    assert_eq!(named.to_string(), text);
}

/// P03.
#[test]
fn a_timeout_names_the_table_the_rows_the_time_and_what_to_do() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(2));
    let patient = beginner(&play, "patient");
    let set = |s: &mut Driver| {
        let set = LockSet::new().ids::<Order>([1]).ids::<Account>([3, 1, 2]);
        s.lock_set(set.timeout(SHORT)).unwrap_err()
    };
    let error = patient.start("waits", set).join();
    let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    let waited = attempt.waited().as_millis();
    assert!(waited >= SHORT.as_millis());
    let wanted = format!(
        "timed out after {waited} ms waiting for rows of {} (Account 3, Account 1 and Account 2): run the transaction \
         again, or allow more time",
        attempt.table()
    );
    assert_eq!(error.to_string(), wanted);
    never_repeats_itself(&error);
    patient.run("begins anew", |s| s.rollback().and_then(|()| s.begin())).unwrap();
    let named = patient
        .start("waits and asks who", |s| {
            s.lock_set(LockSet::new().id::<Account>(2).name_holders().timeout(SHORT)).unwrap_err()
        })
        .join();
    assert!(named.to_string().contains(&told_of("(Account 2); ", &named, holder.pid())), "{named}");
    let [row] = named.rows()[..] else { panic!("{named:?}") };
    assert_eq!(row.key_of::<Account>(), Some(&2));
    never_repeats_itself(&named);
}

/// The words in front of the session, which is certain or not, as the server lets it be told. Its statement is in the long form only.
fn told_of(before: &str, error: &LockError, session: i32) -> String {
    let [holder] = error.holders() else { panic!("{error:?}") };
    let statement = holder.statement().unwrap_or("no statement");
    assert!(!error.to_string().contains(statement), "{error}");
    assert_eq!(format!("{error:#}").contains(statement), holder.statement().is_some(), "{error:#}");
    format!("{before}{}held by session {session}", if holder.is_certain() { "" } else { "perhaps " })
}

/// P03.
#[test]
fn a_long_list_of_rows_is_cut() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let many: Vec<String> = (101..=200).map(|id| format!("({id}, 'many', 0)")).collect();
    arena.execute(&format!("INSERT INTO accounts (id, owner, balance) VALUES {}", many.join(", ")));
    let _holder = holder(&play, "holder", |set| set.ids::<Account>(101..=200));
    let hasty = beginner(&play, "hasty");
    let set = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>(101..=200).no_wait()).unwrap_err();
    let error = hasty.run("tries", set);
    assert!(error.to_string().contains(", Account 120 and 80 more are held"), "{error}");
    let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
    assert_eq!(rows.len(), 100);
    let timed = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>(101..=200).timeout(SHORT)).unwrap_err();
    let error = hasty.start("waits", timed).join();
    assert!(error.to_string().contains(", Account 120 and 80 more)"), "{error}");
}

/// P05.
#[test]
fn whatever_another_try_can_cure_says_so() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let session = beginner(&play, "session");
    let contended = session.run("tries", |s| s.no_wait(&stale()).unwrap_err());
    let timed_out = session.start("waits", |s| s.timeout(&stale(), SHORT).unwrap_err()).join();
    for error in [timed_out, contended] {
        assert!(error.to_string().contains("again"), "{error}");
    }
}

/// MySQL's lists of sessions fail as long as anybody on the server runs a statement with such a character in it.
#[test]
fn holders_are_named_while_a_statement_has_characters_of_four_bytes() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let astronaut = beginner(&play, "astronaut");
    let waiting = astronaut
        .start("waits", |s| s.execute("UPDATE accounts SET owner = '\u{1f469}\u{200d}\u{1f680}' WHERE id = 1"));
    waiting.blocked_by(&holder);
    let curious = beginner(&play, "curious");
    let named = curious
        .run("tries and asks who", |s| s.lock_set(LockSet::new().row(&stale()).no_wait().name_holders()).unwrap_err());
    assert!(named.to_string().contains(&format!("held by session {}", holder.pid())), "{named}");
    holder.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), Ok(1));
}
