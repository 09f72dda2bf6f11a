//! A macro that fills in the types, the table and the library.

/// What a crate in between would re-export for its macros.
pub mod reexport {
    pub use diesel_lockset::{__private, Lockable};
}

macro_rules! model {
    ($name:ident, $table:path, $keys:ident: $key:ty, $($rest:ident: $ty:ty),*) => {
        #[derive($crate::reexport::Lockable)]
        #[diesel(table_name = $table, primary_key($keys))]
        #[lockable(crate = $crate::reexport)]
        struct $name {
            $keys: $key,
            $($rest: $ty),*
        }
    };
}

mod schema {
    diesel::table! {
        accounts (number) {
            number -> BigInt,
            balance -> BigInt,
        }
    }
}

model!(Account, schema::accounts, number: i64, balance: Option<i64>);

fn main() {
    use diesel_lockset::Lockable;

    let account = Account { number: 4, balance: None };
    let key: i64 = account.lock_key();
    assert_eq!((key, account.balance, Account::TYPE_NAME), (4, None, "Account"));
}
