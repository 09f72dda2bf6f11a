//! The part of the contract that holds where a transaction is the only writer, in place of locking rows.
//!
//! Left out, of the list in `mod.rs`:
//!
//! | module | reason |
//! | --- | --- |
//! | `advisory`, `strengths`, `joins`, `guessable`, `pick::{strengths, joined_beside_others}`, `waiting::{skip_locked, skip_locked_queries}` | advisory locks, shared strengths, locking clauses and `skip_locked` do not compile |
//! | `row_by_row`, `pick::{order_beside_others, workers, cost, claim_beside_others}`, `two_models` and `waiting::no_wait` as far as they need it | two sessions hold rows of one table at the same time; here the second one waits for all, and names all |
//! | `lock_set_order`, `lock_set_order_of_composite_keys`, `lock_set_from_queries::beside_others` | a session that waits holds the rows that come first; here it holds nothing |
//! | `after_waiting`, `one_row_waits`, `transactions_beside_others`, `waiting::{messages, staggered, timeout}`, `deadlocks`, `invariants` | the server is asked who waits for whom, which SQLite does not tell; `tests/sqlite/waiting.rs` has its own way |
//! | `lock_set_stress`, `lock_transaction::workload` | a control in which transactions deadlock: nothing deadlocks here |
//! | `read_only` | transactions are not begun as read-only; `tests/sqlite/errors.rs` has a database that may not be written |
//! | `lock_transaction::isolation`, `pick::old_snapshot` | somebody else commits in the middle of a transaction that has read: not with a rollback journal; `tests/sqlite/waiting.rs` has it for the other one |
//! | `lock_transaction::beside_others` | a transaction waits when it begins, not when it locks |
//! | `pick::exactly_once` | asserts that no worker goes without a job, which nobody promises who waits for the file; `tests/sqlite/picks.rs` has the rest |
//! | `pick::lease` | words of the servers for a time |
//! | `faults`, `with_lock_lost` | sessions that a server ends; `tests/sqlite/stress.rs` kills processes |

use super::{Driver, verbs};

mod bad_input;
mod common;
mod errors;
mod hostile_keys;
mod in_a_transaction;
#[allow(dead_code, reason = "other modules use the rest")]
mod lock_set_composite_keys;
mod lock_set_large;
mod lock_set_of_instances;
#[allow(dead_code, reason = "other modules use the rest")]
mod lock_sets_at_once;
#[allow(dead_code, reason = "other modules use the rest")]
mod lost_updates;
mod one_row;
#[allow(dead_code, reason = "other modules use the rest")]
mod stale;
mod transactions;
mod two_models;
mod types;
mod unchanged;
mod with_lock;

/// Queries in sets.
mod lock_set_from_queries {
    use super::{Arena, Driver, assert_sent};

    mod chosen;
    mod folded;
    mod forms;
    mod joined;
    mod limited;
    mod several_tables;

    use self::forms::{Form, Set, account, account_ids, job_ids, search};
}

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
    use super::{Arena, Driver, quoted, verbs};

    mod claim;
    mod joined;
    #[allow(dead_code, reason = "other modules use the rest")]
    mod mail;
    mod order;
    mod refused;

    use self::mail::{ids, new_mail, pick_id};
}

/// `no_wait` and `timeout`.
mod waiting {
    use super::{Arena, Driver, one_row::stale};

    mod free_rows;
    mod told;

    use self::told::{goes_on_and_commits, keys, names};
}

pub(super) use self::common::Arena;
use self::common::{assert_nothing_sent, assert_sent, quoted};
