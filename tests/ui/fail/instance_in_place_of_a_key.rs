include!("../bank.rs");

fn set(conn: &mut PgConnection, account: &Account) {
    let _ = LockSet::new().id::<Account>(account).lock(conn);
}

fn main() {}
