use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
#[diesel(table_name = accounts)]
#[diesel(table_name = accounts)]
struct Account {
    id: i64,
}

fn main() {}
