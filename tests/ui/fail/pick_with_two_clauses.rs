include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let twice = accounts::table.for_update_of(accounts::table).for_share_of(accounts::table);
    let _: Option<Account> = twice.pick_next(conn).unwrap();
}

fn main() {}
