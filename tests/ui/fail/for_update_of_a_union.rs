include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let rich = accounts::table.filter(accounts::balance.gt(9));
    let poor = accounts::table.filter(accounts::balance.lt(1));
    let _ = rich.union(poor).for_update_of(accounts::table).load::<Account>(conn);
}

fn main() {}
