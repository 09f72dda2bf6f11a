use diesel_lockset::Lockable;

#[derive(Lockable)]
struct Account {
    id: i64,
}

fn main() {}
