use diesel::prelude::*;
use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Queryable, Selectable, Identifiable, Lockable)]
struct Account(#[diesel(column_name = balance)] i64, #[diesel(column_name = id)] i64);

fn main() {
    let account = Account(100, 7);
    assert_eq!((account.lock_key(), account.0, *account.id()), (7, 100, 7));
}
