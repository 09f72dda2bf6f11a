include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let _: Option<Account> = accounts::table.for_update().pick_next(conn).unwrap();
}

fn main() {}
