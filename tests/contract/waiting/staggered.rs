//! Rows that come free one after the other: a timeout counts for all of them together.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel_lockset::{LockError, LockSet, Locked};

use super::{Arena, Driver, Set, beginner};
use crate::{
    isolation::{Actor, Play},
    support::{
        driver::Session,
        models::{Account, Customer, Order, Product},
        server::Server,
    },
};

/// How long each holder keeps the waiter waiting.
const HOLD: Duration = Duration::from_millis(200 * SLOW as u64);

const TIMEOUT: Duration = Duration::from_millis(300 * SLOW as u64);

const SLOW: u32 = <<Driver as Session>::Server as Server>::SLOW_TO_TELL;

/// Locks what is held by four, each of whom lets go 200 ms after the server has said that he is waited for.
fn waits(play: &Play<Driver>, held: [fn(Set) -> Set; 4], all: fn(Set) -> Set, timeout: Option<Duration>) -> Waited {
    let holders: Vec<Actor<Driver>> =
        held.into_iter().enumerate().map(|(i, wants)| super::holder(play, &format!("holder {i}"), wants)).collect();
    let waiter = beginner(play, "waiter");
    let waiting = waiter.start("locks all", move |s| {
        let (began, set) = (Instant::now(), all(LockSet::new()));
        let locked = match timeout {
            Some(timeout) => s.lock_set(set.timeout(timeout)),
            None => s.lock_set(set),
        };
        (locked, began.elapsed())
    });
    for holder in holders {
        if !waiting.still_blocked() {
            break;
        }
        // The time for which a row is held is what this is about; that somebody waits for it is known already.
        thread::sleep(HOLD);
        holder.run("lets go", |s| s.commit()).unwrap();
    }
    waiting.join()
}

type Waited = (Result<Locked, LockError>, Duration);

const ROWS: [fn(Set) -> Set; 4] =
    [|set| set.id::<Account>(1), |set| set.id::<Account>(2), |set| set.id::<Account>(3), |set| set.id::<Account>(4)];

/// In the order in which they are locked.
const TABLES: [fn(Set) -> Set; 4] =
    [|set| set.id::<Account>(1), |set| set.id::<Customer>(1), |set| set.id::<Order>(1), |set| set.id::<Product>(1)];

fn rows(set: Set) -> Set {
    set.ids::<Account>([4, 3, 2, 1])
}

fn tables(set: Set) -> Set {
    set.id::<Product>(1).id::<Order>(1).id::<Customer>(1).id::<Account>(1)
}

/// The second wait was cut short: no single wait took as long as the timeout.
fn timed_out_in_time(waited: Waited, table: &str) {
    let (locked, took) = waited;
    let error = locked.unwrap_err();
    let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    assert!((TIMEOUT..=took).contains(&attempt.waited()), "{took:?}: {error:?}");
    assert!(attempt.table().contains(table), "{error:?}");
}

/// G01.
#[test]
fn four_rows_that_are_waited_for_in_turn_share_one_timeout() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    timed_out_in_time(waits(&play, ROWS, rows, Some(TIMEOUT)), "accounts");
}

/// G01.
#[test]
fn four_tables_that_are_waited_for_in_turn_share_one_timeout() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    timed_out_in_time(waits(&play, TABLES, tables, Some(TIMEOUT)), "customers");
}

/// G08.
#[test]
fn without_a_timeout_all_of_them_are_waited_for() {
    let arena = Arena::new();
    let waits_for_all: [([fn(Set) -> Set; 4], fn(Set) -> Set); 2] = [(ROWS, rows), (TABLES, tables)];
    for (held, all) in waits_for_all {
        let play = Play::<Driver>::new(&arena);
        let (locked, took) = waits(&play, held, all, None);
        locked.unwrap();
        assert!(took >= 4 * HOLD, "{took:?}");
    }
}
