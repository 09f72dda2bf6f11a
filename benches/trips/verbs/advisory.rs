//! Advisory locks.

use std::time::Duration;

use diesel_lockset::prelude::*;

use super::{Conn, outside, tables::HELD_NAME};
use crate::count::Verb;

const LONG: Duration = Duration::from_secs(10);

pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        outside("advisory: hold", 1, |conn| Ok(free().hold(conn, |_| Ok::<_, LockError>(1))?)),
        outside("advisory: hold, timeout", 1, |conn| Ok(free().timeout(LONG).hold(conn, |_| Ok::<_, LockError>(1))?)),
        outside("advisory: hold_session", 1, |conn| Ok(free().hold_session(conn, |_| Ok::<_, LockError>(1))?)),
        outside("advisory: try_hold", 1, |conn| Ok(free().try_hold(conn, |_| Ok::<_, LockError>(1))?.unwrap_or(0))),
        outside("advisory: try_hold, held", 0, |conn| {
            Ok(AdvisoryLock::named(HELD_NAME).try_hold(conn, |_| Ok::<_, LockError>(1))?.unwrap_or(0))
        }),
        outside("advisory: acquire and release", 1, |conn| Ok(free().acquire(conn).map(|_| 1)?)),
        outside("advisory: try_acquire and release", 1, |conn| Ok(free().try_acquire(conn)?.map_or(0, |_| 1))),
        outside("advisory: try_acquire, held", 0, |conn| {
            Ok(AdvisoryLock::named(HELD_NAME).try_acquire(conn)?.map_or(0, |_| 1))
        }),
        outside("advisory: is_held", 0, |conn| Ok(usize::from(free().is_held(conn)?))),
        outside("advisory: holders, held", 1, |conn| Ok(AdvisoryLock::named(HELD_NAME).holders(conn)?.len())),
        outside("advisory: hold in LockTransaction", 1, |conn| {
            Ok(LockTransaction::new().run(conn, |conn| free().hold(conn, |_| Ok::<_, LockError>(1)))?)
        }),
    ]
}

fn free() -> AdvisoryLock {
    AdvisoryLock::named("free")
}
