include!("../bank.rs");

fn load(conn: &mut SqliteConnection) {
    let _: Result<Vec<Account>, _> = accounts::table.for_update_of(accounts::table).load(conn);
}

fn main() {}
