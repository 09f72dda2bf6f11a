#![deny(warnings)]

use diesel_lockset::Lockable;

fn main() {
    diesel::table! {
        accounts (id) {
            id -> BigInt,
        }
    }

    #[derive(Lockable)]
    struct Account {
        id: i64,
    }

    let _ = accounts::table;
    assert_eq!(Account { id: 3 }.lock_key(), 3);
}
