include!("../bank.rs");

#[derive(Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Balance {
    id: i64,
    balance: i64,
}

fn lock(conn: &mut PgConnection) {
    let _ = Balance::lock_by_id(1, conn).map(|balance| balance.balance);
}

fn main() {}
