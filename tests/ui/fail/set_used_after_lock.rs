include!("../bank.rs");

fn set(conn: &mut PgConnection, account: &Account) {
    let set = LockSet::new().row(account);
    let _ = set.lock(conn);
    let _ = set.row(account).lock(conn);
}

fn main() {}
