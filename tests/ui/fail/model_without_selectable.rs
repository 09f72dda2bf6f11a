include!("../bank.rs");

#[derive(Queryable, Lockable)]
#[diesel(table_name = accounts)]
struct Balance {
    id: i64,
    balance: i64,
}

fn set(conn: &mut PgConnection, balance: &Balance) {
    let _ = LockSet::new().row(balance).lock(conn);
    let _ = balance.balance;
}

fn main() {}
