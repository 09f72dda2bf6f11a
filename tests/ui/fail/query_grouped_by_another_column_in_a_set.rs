include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let by_owner = accounts::table.group_by(accounts::owner).select(accounts::owner);
    let _ = LockSet::new().query::<Account>(by_owner).lock(conn);
}

fn main() {}
