use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
#[diesel(primary_key())]
struct Account {
    id: i64,
}

fn main() {}
