include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let total = accounts::table.select(diesel::dsl::sum(accounts::balance));
    let _ = total.for_update_of(accounts::table).load::<Option<i64>>(conn);
}

fn main() {}
