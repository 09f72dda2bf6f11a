//! Sessions that are ended, cancelled and crashed while they wait and while they hold: at every step of a call.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use diesel_lockset::{LockError, LockSet, Locked};

use super::{Arena, Driver, verbs};
use crate::support::{
    driver::Session,
    models::{Account, Order},
    probe::Held,
    server::Server,
};

mod claims;
pub(crate) mod crashes;
mod lost;
mod sessions;
mod transfers;

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(600);

/// Whether a transaction goes on after a statement that was cancelled.
const GOES_ON: bool = <<Driver as Session>::Server as Server>::UNDOES_STATEMENTS;

/// A place at which a call waits.
struct Step {
    name: &'static str,
    /// What the holder holds when the call comes there.
    held: &'static str,
    call: fn(&mut Driver) -> Result<Locked, LockError>,
    /// The rows that are locked if the call succeeds.
    rows: &'static [(&'static str, &'static str)],
    /// The call undoes itself when it fails, where the server does not undo single statements.
    rolls_back: bool,
}

const THREE: &[(&str, &str)] = &[("accounts", "id = 1"), ("accounts", "id = 3"), ("accounts", "id = 5")];
const TWO_TABLES: &[(&str, &str)] = &[("accounts", "id = 1"), ("accounts", "id = 2"), ("orders", "id = 1")];

type Set = LockSet<'static, <Driver as Session>::Backend>;

fn three() -> Set {
    LockSet::new().ids::<Account>([5, 1, 3])
}

fn two_tables() -> Set {
    LockSet::new().id::<Order>(1).ids::<Account>([2, 1])
}

const STEPS: [Step; 7] = [
    Step {
        name: "the first row",
        held: "SELECT 1 FROM accounts WHERE id = 1 FOR UPDATE",
        call: |s| s.lock_set(three()),
        rows: THREE,
        rolls_back: false,
    },
    Step {
        name: "a row in the middle",
        held: "SELECT 1 FROM accounts WHERE id = 3 FOR UPDATE",
        call: |s| s.lock_set(three()),
        rows: THREE,
        rolls_back: false,
    },
    Step {
        name: "the last row",
        held: "UPDATE accounts SET v = 7 WHERE id = 5",
        call: |s| s.lock_set(three()),
        rows: THREE,
        rolls_back: false,
    },
    Step {
        name: "the second table",
        held: "SELECT 1 FROM orders WHERE id = 1 FOR UPDATE",
        call: |s| s.lock_set(two_tables()),
        rows: TWO_TABLES,
        rolls_back: false,
    },
    Step {
        name: "with a timeout",
        held: "SELECT 1 FROM orders WHERE id = 1 FOR UPDATE",
        call: |s| s.lock_set(two_tables().timeout(LONG)),
        rows: TWO_TABLES,
        rolls_back: false,
    },
    Step {
        name: "with holders named",
        held: "SELECT 1 FROM accounts WHERE id = 3 FOR UPDATE",
        call: |s| s.lock_set(three().name_holders()),
        rows: THREE,
        rolls_back: true,
    },
    Step {
        name: "with a timeout and holders named",
        held: "SELECT 1 FROM orders WHERE id = 1 FOR UPDATE",
        call: |s| s.lock_set(two_tables().timeout(LONG).name_holders()),
        rows: TWO_TABLES,
        rolls_back: true,
    },
];

/// Says that it is over, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Undoes what a step before has changed.
const FIXTURES: &str = "UPDATE accounts SET balance = 10 WHERE id = 1; UPDATE accounts SET v = 0";

/// Every row of the step is as `expected`.
#[track_caller]
fn all(arena: &Arena, step: &Step, expected: Held) {
    for (table, condition) in step.rows {
        assert_eq!(arena.probe(table, condition), expected, "{}: {table}, {condition}", step.name);
    }
}
