include!("../bank.rs");

fn pick(conn: &mut PgConnection) {
    let next = accounts::table.order(accounts::id).for_update_of(accounts::table).no_wait();
    let _: Option<Account> = next.pick_next(conn).unwrap();
}

fn main() {}
