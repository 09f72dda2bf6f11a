use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    number: i64,
}

fn main() {
    // Uses of the model stay silent: one mistake, one error.
    let account = Account { number: 1 };
    let key: i64 = account.lock_key();
    let _ = (key, Account::table(), account.number);
}
