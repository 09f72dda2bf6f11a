include!("../bank.rs");

fn set(conn: &mut SqliteConnection, account: &Account) {
    let _ = LockSet::new().row(account).skip_locked().lock(conn);
}

fn main() {}
