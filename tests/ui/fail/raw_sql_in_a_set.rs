include!("../bank.rs");

fn set(conn: &mut PgConnection) {
    let _ = LockSet::new().query::<Account>(diesel::sql_query("SELECT * FROM accounts")).lock(conn);
}

fn main() {}
