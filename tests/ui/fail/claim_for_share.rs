include!("../bank.rs");

fn claim(conn: &mut PgConnection) {
    let _: Result<Vec<Account>, _> =
        accounts::table.for_share_of(accounts::table).claim(1, accounts::balance.eq(0), conn);
}

fn main() {}
