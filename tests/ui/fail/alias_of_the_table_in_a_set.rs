include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let others = diesel::alias!(accounts as others);
    let _ = LockSet::new().query::<Account>(others.filter(others.field(accounts::balance).gt(9))).lock(conn);
}

fn main() {}
