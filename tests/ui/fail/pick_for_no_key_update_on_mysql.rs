include!("../bank.rs");

fn pick(conn: &mut MysqlConnection) {
    let _: Result<Option<Account>, _> = accounts::table.for_no_key_update_of(accounts::table).pick_next(conn);
}

fn main() {}
