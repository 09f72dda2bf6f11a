include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let rich = accounts::table.filter(accounts::balance.gt(9));
    let poor = accounts::table.filter(accounts::balance.lt(1));
    let _ = LockSet::new().query::<Account>(rich.union(poor)).lock(conn);
}

fn main() {}
