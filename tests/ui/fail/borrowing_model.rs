use diesel_lockset::Lockable;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Lockable)]
struct Account<'a> {
    id: i64,
    owner: &'a str,
}

fn main() {
    let account = Account { id: 1, owner: "Ada" };
    let _ = account.lock_key();
}
