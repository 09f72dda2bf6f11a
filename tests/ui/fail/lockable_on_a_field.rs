use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    #[lockable(key)]
    id: i64,
}

fn main() {}
