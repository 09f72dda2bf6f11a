include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let rich = accounts::table.filter(accounts::balance.gt(9));
    let poor = accounts::table.filter(accounts::balance.lt(1));
    let _: Option<Account> = rich.union(poor).pick_next(conn).unwrap();
}

fn main() {}
