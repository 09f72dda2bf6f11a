include!("../bank.rs");

fn set(conn: &mut SqliteConnection, account: &Account) {
    let _ = LockSet::new().for_no_key_update().row(account).lock(conn);
}

fn main() {}
