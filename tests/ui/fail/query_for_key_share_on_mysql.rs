include!("../bank.rs");

fn load(conn: &mut MysqlConnection) {
    let _: Result<Vec<Account>, _> = accounts::table.for_key_share_of(accounts::table).load(conn);
}

fn main() {}
