//! The library under another name: the expansion goes through that name alone.

extern crate diesel_lockset as locks;

/// One more way to it, such as a crate in between would give.
mod vendor {
    pub(crate) use diesel_lockset::{__private, Lockable};
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

#[derive(locks::Lockable)]
#[diesel(table_name = accounts)]
#[lockable(crate = "crate::vendor")]
struct Balance {
    id: i64,
}

fn main() {
    assert_eq!(locks::Lockable::lock_key(&Account { id: 1 }), 1);
    assert_eq!(locks::Lockable::lock_key(&Balance { id: 2 }), 2);
}
