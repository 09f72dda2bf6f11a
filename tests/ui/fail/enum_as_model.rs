use diesel_lockset::Lockable;

#[derive(Lockable)]
enum Account {
    Open { id: i64 },
}

fn main() {
    let _ = Account::Open { id: 1 }.lock_key();
}
