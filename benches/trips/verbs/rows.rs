//! One row.

use std::time::Duration;

use diesel_lockset::prelude::*;

use super::{
    Conn, inside,
    tables::{Account, HELD_ACCOUNT},
};
use crate::{count::Verb, shared::Result};

const LONG: Duration = Duration::from_secs(10);

pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        inside("lock", 1, |conn| Ok(Account::stale(1).lock(conn).map(|_| 1)?)),
        inside("lock_by_id", 1, |conn| Ok(Account::lock_by_id(1, conn).map(|_| 1)?)),
        inside("lock_by_id, missing", 1, |conn| missing(Account::lock_by_id(-1, conn))),
        inside("lock, no_wait", 1, |conn| Ok(Account::stale(1).no_wait().lock(conn).map(|_| 1)?)),
        inside("lock, no_wait, held", 1, |conn| contended(Account::stale(HELD_ACCOUNT).no_wait().lock(conn))),
        inside("lock, skip_locked", 1, |conn| Ok(Account::stale(1).skip_locked().lock(conn)?.map_or(0, |_| 1))),
        inside("lock, skip_locked, held", 0, |conn| {
            Ok(Account::stale(HELD_ACCOUNT).skip_locked().lock(conn)?.map_or(0, |_| 1))
        }),
        inside("lock, timeout", 1, |conn| Ok(Account::stale(1).timeout(LONG).lock(conn).map(|_| 1)?)),
    ]
}

/// The number of rows that are named as missing.
pub(super) fn missing<T>(outcome: Result<T, LockError>) -> Result<usize> {
    match outcome {
        Err(LockError::Missing { rows, .. }) => Ok(rows.len()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("nothing is missing".into()),
    }
}

/// The number of rows that are named as held.
pub(super) fn contended<T>(outcome: Result<T, LockError>) -> Result<usize> {
    match outcome {
        Err(LockError::Contended { rows, .. }) => Ok(rows.len()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("nothing is held".into()),
    }
}
