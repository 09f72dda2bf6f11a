//! Advisory locks that end with a transaction, for [`cancelled`](super::cancelled).

use diesel::pg::Pg;
use diesel_lockset::nonblocking::{LockConnection, RunAdvisoryLock as _};

use super::cancelled::verbs::{Verb, inside, lock};

pub(super) fn own_verbs<C: LockConnection<Backend = Pg> + 'static>() -> Vec<Verb<C>> {
    vec![
        inside("for a transaction", |conn| Box::pin(lock().acquire_for_transaction(conn))),
        inside("for a transaction, in time", |conn| {
            Box::pin(async move {
                let lock = lock().timeout(super::cancelled::verbs::LONG);
                lock.try_acquire_for_transaction(conn).await.map(drop)
            })
        }),
    ]
}
