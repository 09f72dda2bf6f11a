include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().id::<Account>("42").lock(conn);
}

fn main() {}
