include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let _: Vec<Account> = accounts::table.order(accounts::id).claim(1, transfers::amount.eq(0), conn).unwrap();
}

fn main() {}
