include!("../bank.rs");

fn claim(conn: &mut SqliteConnection) {
    let _: Result<Vec<Account>, _> =
        accounts::table.for_update_of(accounts::table).claim(1, accounts::balance.eq(0), conn);
}

fn main() {}
