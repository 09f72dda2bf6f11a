include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().query::<Transfer>(accounts::table.left_join(transfers::table)).lock(conn);
}

fn main() {}
