include!("../bank.rs");

#[derive(Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Balance {
    id: i64,
    balance: String,
}

fn lock(conn: &mut PgConnection) {
    let _ = Balance::lock_by_id(1, conn).map(|balance| balance.balance);
}

fn main() {}
