//! The type that Diesel's `Identifiable` hands to SQL is the key, not the type of the field.

use diesel::prelude::*;
use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
    }
}

#[derive(Clone)]
struct AccountId(i64);

impl From<i64> for AccountId {
    fn from(id: i64) -> Self {
        Self(id)
    }
}

impl From<AccountId> for i64 {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

#[derive(Queryable, Selectable, Identifiable, Lockable)]
struct Account {
    #[diesel(serialize_as = i64, deserialize_as = i64)]
    id: AccountId,
}

fn main() {
    let account = Account { id: 8.into() };
    let key: i64 = account.lock_key();
    assert_eq!((key, account.id()), (8, 8));
}
