//! The library under another name: the attribute goes through that name alone.

extern crate diesel_lockset as locks;

use diesel::{PgConnection, QueryResult};

/// One more way to it, such as a crate in between would give: what the attribute needs of it.
mod vendor {
    pub(crate) use diesel_lockset::{AdvisoryLock, RunAdvisoryLock};
}

diesel::table! {
    accounts (id) {
        id -> BigInt,
    }
}

#[derive(locks::Lockable)]
#[lockable(crate = locks)]
struct Account {
    id: i64,
}

#[allow(dead_code)]
impl Account {
    #[locks::advisory_locked(crate = locks, shared)]
    fn pay(&self, _conn: &mut PgConnection) -> QueryResult<()> {
        Ok(())
    }

    #[locks::advisory_locked(timeout = "1s", crate = "crate::vendor")]
    fn pay_out(&self, _conn: &mut PgConnection) -> QueryResult<()> {
        Ok(())
    }
}

fn main() {}
