//! The spans and events of [`tracing`](https://docs.rs/tracing), with the feature `tracing`.
//!
//! | span (level `INFO`) | of | fields |
//! | --- | --- | --- |
//! | `lock_set` | [`LockSet`](crate::LockSet), a single row | `tables`, `rows` (requested by key), `queries`, `advisory_locks`, `strength`, `wait` |
//! | `pick` | picks and claims | `tables`, `claims` |
//! | `lock_query` | single locked queries | `tables` |
//! | `advisory_lock` | [`AdvisoryLock`](crate::AdvisoryLock) | `shared`, `wait` |
//!
//! Each span also gets, at its end, `elapsed_ms`, `statements` (not of `lock_query`; savepoints count), and `error` with the name of the
//! variant of [`LockError`](crate::LockError). `elapsed_ms` is the time of the whole call, most of which is waiting if it is long.
//!
//! | event | level | fields |
//! | --- | --- | --- |
//! | `a lock call took long` | `WARN` | `tables`, `elapsed_ms`, `error`; in the span of the call. From [`set_long_wait`] on |
//! | `locks were held long` | `WARN` | `held_ms`, `until`, and `idle_ms` with [`StatementTime`]: from the first lock to the end of an outermost transaction that this crate has begun (`LockTransaction`, `with_lock`, `hold`), or to the release of an advisory lock around a closure. From [`set_long_hold`] on |
//! | `a deadlock` | `WARN` | `tables`, `sessions` ([`deadlocked_sessions`](crate::LockError::deadlocked_sessions)); in the span of the call |
//! | `a transaction is run again` | `INFO` | `attempt`, `class`, `pause_ms` |
//! | `a transaction was given up` | `WARN` | `attempts`, `class`, `elapsed_ms` |
//! | `a lock set went back behind an earlier one of the same transaction ..` | `WARN` | `after`, `back_to`: the tables |
//! | `locks rows`, `takes an advisory lock`, `a lock call failed`, and the error of an attempt | `DEBUG` | keys of rows, names of advisory locks, texts of errors |
//!
//! Values of keys are in events of the level `DEBUG` only. All times are whole milliseconds. The time for which a transaction held locks without
//! a statement is measured for connections with the instrumentation [`StatementTime`]: the statements of the application are not seen
//! otherwise. A guard of an advisory lock is not measured.

pub use crate::core::{StatementTime, set_long_hold, set_long_wait};
