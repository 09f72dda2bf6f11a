include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let _ = accounts::table.for_update().for_update_of(accounts::table).load::<Account>(conn);
}

fn main() {}
