include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let grouped = accounts::table.group_by(accounts::id).into_boxed();
    let _ = grouped.for_update_of(accounts::table).load::<Account>(conn);
}

fn main() {}
