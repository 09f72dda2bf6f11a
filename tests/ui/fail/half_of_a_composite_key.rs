include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().id::<Seat>("A").lock(conn);
}

fn main() {}
