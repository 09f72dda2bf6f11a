include!("../bank.rs");

fn set(conn: &mut SqliteConnection, account: &Account) {
    let _ = LockSet::new().for_key_share().row(account).lock(conn);
}

fn main() {}
