//! The part of the contract that holds where a transaction is the only writer, in place of locking rows.
//!
//! Left out, of the list in `mod.rs`:
//!
//! | module | reason |
//! | --- | --- |
//! | `advisory`, `strengths`, `joins`, `guessable`, `waiting::skip_locked` and the rest of `waiting` | advisory locks, shared strengths, locking clauses and `skip_locked` do not compile |
//! | `after_waiting`, `one_row_waits`, `unchanged`, `two_models`, `transactions`, `deadlocks`, most of the sets | the tests ask the server who waits for whom, which SQLite does not tell; `tests/sqlite/waiting.rs` has its own way |
//! | `lock_set_large`, `lock_set_order`, `lock_set_composite_keys`, `lock_set_from_queries` | rows that are held one by one, in an order |
//! | `lock_transaction::{isolation, workload}` | somebody else writes in the middle of a transaction, or two transactions lock crosswise |
//! | `pick::{cost, joined, order, strengths, workers}` | plans of a server, locking clauses, two sessions with rows at the same time |
//! | `faults` | sessions that a server ends; `tests/sqlite/stress.rs` kills processes |

use super::{Driver, verbs};

mod bad_input;
mod common;
mod errors;
mod in_a_transaction;
mod lock_set_stress;
mod one_row;
#[allow(dead_code, reason = "other modules use the rest")]
mod stale;
mod types;
mod with_lock;

/// `LockTransaction`.
mod lock_transaction {
    use super::{Arena, Driver, verbs};

    mod calls;
    mod disorder;
    mod endings;
    mod nested;
    mod own_errors;
    mod pauses;
    mod retries;

    use self::calls::{Conn, Own, lock, moved, run, run_on, touch};
}

/// Picks and claims.
mod pick {
    use super::{Arena, Driver, verbs};

    mod claim;
    mod exactly_once;
    #[allow(dead_code, reason = "other modules use the rest")]
    mod mail;

    use self::mail::{ids, new_mail, pick_id};
}

pub(super) use self::common::Arena;
use self::common::{RESOLVES_FIRST, assert_sent, quoted};
