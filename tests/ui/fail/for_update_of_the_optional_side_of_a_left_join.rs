include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let pairs = accounts::table.left_join(transfers::table);
    let _ = pairs.for_update_of(transfers::table).load::<(Account, Option<Transfer>)>(conn);
}

fn main() {}
