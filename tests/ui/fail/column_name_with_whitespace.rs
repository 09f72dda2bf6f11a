use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account {
    #[diesel(column_name = "account id")]
    id: i64,
}

fn main() {}
