include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().query::<Account>(accounts::table.load::<Account>(conn)).lock(conn);
}

fn main() {}
