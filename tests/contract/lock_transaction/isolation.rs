//! The isolation level of a transaction that is run again, while others write.

use std::time::Duration;

use diesel_lockset::{Isolation, LockTransaction};

use super::{Arena, Driver, lock, run};
use crate::support::driver::Session;

const AT_ONCE: Duration = Duration::from_millis(1);

fn quick() -> LockTransaction {
    LockTransaction::new().retries(2).backoff(AT_ONCE, AT_ONCE)
}

/// O04, O05, P04.
#[test]
fn the_isolation_level_is_in_force_in_every_try() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (level, expected) in [
        (None, 1),
        (Some(Isolation::ReadCommitted), 1),
        (Some(Isolation::RepeatableRead), if arena.fails_on_stale_rows() { 3 } else { 1 }),
        (Some(Isolation::Serializable), if arena.fails_on_stale_rows() { 3 } else { 1 }),
    ] {
        let mut tries = 0;
        let transaction = match level {
            Some(level) => quick().isolation(level),
            None => quick(),
        };
        let done = run(&mut session, transaction, |conn| {
            tries += 1;
            // The snapshot is taken, and somebody else changes a row behind it, in the first two tries.
            assert_eq!(Driver::execute_on(conn, "SELECT id FROM accounts WHERE id = 2")?, 1);
            if tries <= 2 {
                arena.execute("UPDATE accounts SET v = v + 1 WHERE id = 1");
            }
            lock(conn, &[1])
        });
        assert_eq!((done.unwrap().len(), tries), (1, expected), "{level:?}");
    }
}
