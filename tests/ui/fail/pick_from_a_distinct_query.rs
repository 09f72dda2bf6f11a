include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let _: Option<Account> = accounts::table.distinct().pick_next(conn).unwrap();
}

fn main() {}
