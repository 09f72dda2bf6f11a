//! The part of the contract that holds where a transaction is the only writer, in place of locking rows.
//!
//! Left out, of the list in `mod.rs`:
//!
//! | module | reason |
//! | --- | --- |
//! | `advisory`, `strengths`, `joins`, `guessable`, `waiting::skip_locked` | advisory locks, shared strengths, locking clauses and `skip_locked` do not compile |
//! | the rest of `waiting`, `after_waiting`, `one_row_waits`, `unchanged`, `two_models`, `transactions`, `deadlocks`, `invariants` | the tests ask the server who waits for whom, which SQLite does not tell; `tests/sqlite/waiting.rs` has its own way |
//! | `row_by_row`, `lock_set_order`, `lock_set_composite_keys`, `lock_set_from_queries`, `lock_set_of_instances`, `hostile_keys` | rows that are held one by one, in an order |
//! | `lock_set_stress` | shows that the sets do not deadlock where other transactions do: nothing deadlocks here |
//! | `read_only` | transactions are not begun as read-only |
//! | `lock_transaction::{isolation, workload}` | somebody else writes in the middle of a transaction, or two transactions lock crosswise |
//! | `lock_transaction::beside_others` | a transaction waits when it begins, not when it locks |
//! | `pick::{cost, joined, order, strengths, workers, claim_beside_others}` | plans of a server, locking clauses, two sessions with rows at the same time |
//! | `pick::exactly_once` | asserts that no worker goes without a job, which nobody promises who waits for the file |
//! | `pick::lease` | words of the servers for a time |
//! | `lock_set_large`, `pick::refused` | not tried yet |
//! | `faults`, `with_lock_lost` | sessions that a server ends; `tests/sqlite/stress.rs` kills processes |

use super::{Driver, verbs};

mod bad_input;
mod common;
mod errors;
mod in_a_transaction;
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
    #[allow(dead_code, reason = "other modules use the rest")]
    mod mail;

    use self::mail::{ids, new_mail};
}

pub(super) use self::common::Arena;
use self::common::{assert_sent, quoted};
