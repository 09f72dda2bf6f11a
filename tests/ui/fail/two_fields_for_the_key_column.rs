use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    id: i64,
    #[diesel(column_name = id)]
    number: i64,
}

fn main() {}
