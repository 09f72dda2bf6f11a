use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    id: f64,
}

fn main() {
    let account = Account { id: 1.0 };
    let _ = account.lock_key();
}
