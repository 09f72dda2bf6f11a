//! The pauses between tries and the time of all of them.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use diesel_lockset::{LockError, LockTransaction};

use super::{Arena, Driver, moved, run};
use crate::support::driver::Session;

const MS: Duration = Duration::from_millis(1);

/// What the machine may add to a pause.
const SLACK: Duration = Duration::from_millis(500);

/// P05.
#[test]
fn pauses_grow_are_jittered_and_have_a_longest_one() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (ended, pauses) = (Mutex::new(None), Mutex::new(Vec::new()));
    let transaction = LockTransaction::new()
        .retries(4)
        .backoff(40 * MS, 100 * MS)
        .before_retry(|_, _| *ended.lock().unwrap() = Some(Instant::now()));
    let error = run(&mut session, transaction, |_| {
        if let Some(ended) = ended.lock().unwrap().take() {
            pauses.lock().unwrap().push(ended.elapsed());
        }
        Err::<(), _>(moved())
    });
    assert!(matches!(error, Err(LockError::RetriesExhausted { tries: 5, .. })), "{error:?}");
    let pauses = pauses.into_inner().unwrap();
    assert_eq!(pauses.len(), 4);
    for (pause, least) in pauses.iter().zip([40, 80, 100, 100]) {
        assert!((least * MS..2 * least * MS + SLACK).contains(pause), "{pauses:?}");
    }
}

/// P05, G07.
#[test]
fn no_retry_begins_after_the_deadline() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (began, mut last) = (Instant::now(), Duration::ZERO);
    let transaction = LockTransaction::new().retries(1000).backoff(20 * MS, 20 * MS).deadline(300 * MS);
    let error = run(&mut session, transaction, |_| {
        last = began.elapsed();
        Err::<(), _>(moved())
    });
    let Err(LockError::RetriesExhausted { tries, elapsed, .. }) = error else { panic!("{error:?}") };
    assert!((2..=15).contains(&tries), "{tries}");
    assert!(last < 300 * MS + SLACK && elapsed <= 300 * MS + SLACK, "{last:?}, {elapsed:?}");
    for deadline in [Duration::ZERO, 19 * MS] {
        let transaction = LockTransaction::new().retries(1000).backoff(20 * MS, 20 * MS).deadline(deadline);
        let error = run(&mut session, transaction, |_| Err::<(), _>(moved()));
        assert!(matches!(error, Err(LockError::RetriesExhausted { tries: 1, .. })), "{error:?}");
    }
}

/// P05.
#[test]
fn a_pause_beyond_all_time_is_beyond_the_deadline() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let transaction = LockTransaction::new().backoff(Duration::MAX, Duration::MAX).deadline(Duration::from_secs(1));
    let error = run(&mut session, transaction, |_| Err::<(), _>(moved()));
    assert!(matches!(error, Err(LockError::RetriesExhausted { tries: 1, .. })), "{error:?}");
}
