include!("../bank.rs");

fn pick(conn: &mut SqliteConnection) {
    let _: Result<Option<Account>, _> = accounts::table.for_update_of(accounts::table).pick_next(conn);
}

fn main() {}
