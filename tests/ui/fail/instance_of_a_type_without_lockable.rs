include!("../bank.rs");

struct Plain {
    id: i64,
}

fn set(conn: &mut PgConnection, plain: &Plain) {
    let _ = LockSet::new().row(plain).lock(conn);
    let _ = plain.id;
}

fn main() {}
