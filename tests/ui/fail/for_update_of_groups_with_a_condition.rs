include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let groups = accounts::table.group_by(accounts::owner).having(diesel::dsl::count_star().gt(1));
    let _ = groups.select(accounts::owner).for_update_of(accounts::table).load::<String>(conn);
}

fn main() {}
