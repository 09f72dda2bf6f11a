include!("../bank.rs");

fn lock(conn: &mut PgConnection) {
    let _ = LockSet::new().query(accounts::table).lock(conn);
}

fn main() {}
