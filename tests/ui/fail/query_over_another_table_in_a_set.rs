include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().query::<Account>(transfers::table.filter(transfers::amount.gt(9))).lock(conn);
}

fn main() {}
