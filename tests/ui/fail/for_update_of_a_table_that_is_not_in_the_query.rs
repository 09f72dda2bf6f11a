include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let _ = accounts::table.for_update_of(transfers::table).load::<Account>(conn);
}

fn main() {}
