use diesel_lockset::Lockable;

diesel::table! {
    accounts (number) {
        number -> BigInt,
        id -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    id: i64,
}

fn main() {}
