use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account<K> {
    id: K,
}

fn main() {
    let account = Account { id: 1 };
    let _ = account.lock_key();
}
