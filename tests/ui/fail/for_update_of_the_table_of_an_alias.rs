include!("../bank.rs");

fn query(conn: &mut PgConnection) {
    let others = diesel::alias!(accounts as others);
    let _ = others.for_update_of(accounts::table).load::<Account>(conn);
}

fn main() {}
