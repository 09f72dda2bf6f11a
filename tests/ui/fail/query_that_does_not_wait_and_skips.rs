include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let _ = accounts::table.for_update_of(accounts::table).skip_locked().no_wait().load::<Account>(conn);
}

fn main() {}
