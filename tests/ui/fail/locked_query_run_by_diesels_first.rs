include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let _ = accounts::table.for_update_of(accounts::table).first::<Account>(conn);
}

fn main() {}
