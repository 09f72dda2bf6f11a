include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let richest = accounts::table.select(diesel::dsl::max(accounts::balance));
    let _ = richest.for_update_of(accounts::table).get_result::<Option<i64>, _>(conn);
}

fn main() {}
