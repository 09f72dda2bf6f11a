include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().query::<Account>(accounts::table.for_update()).lock(conn);
}

fn main() {}
