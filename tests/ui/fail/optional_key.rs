use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    id: Option<i64>,
}

fn main() {}
