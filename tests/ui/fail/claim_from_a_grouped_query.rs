include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let grouped = accounts::table.group_by(accounts::id).select(accounts::id);
    let _: Vec<Account> = grouped.claim(1, accounts::balance.eq(0), conn).unwrap();
}

fn main() {}
