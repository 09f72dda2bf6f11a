include!("../bank.rs");

fn set(conn: &mut PgConnection, account: &Account) {
    let _ = LockSet::new().row(account).no_wait().skip_locked().lock(conn);
}

fn main() {}
