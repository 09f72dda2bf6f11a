use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

struct Id {
    id: i64,
}

#[derive(Lockable)]
struct Account {
    #[diesel(embed)]
    id: Id,
}

fn main() {}
