//! The verbs that the contract calls directly, over connections whose calls block. Those over other connections are in
//! [`nonblocking::verbs`](super::nonblocking::verbs), under the same names.

#[allow(unused_imports, reason = "each part of the suite uses what it needs")]
pub(crate) use diesel_lockset::{LockDsl, PickDsl, RunAdvisoryLock, RunLockQuery, RunLockSet, RunLockTransaction};
