use diesel_lockset::Lockable;

#[derive(Lockable)]
struct Account;

fn main() {}
