include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let next = accounts::table.order(accounts::id).pick_next(conn).unwrap();
}

fn main() {}
