include!("../bank.rs");

async fn lock(conn: &mut PgConnection) {
    let set = LockSet::new().ids::<Account>([1_i64, 2]);
    let _ = diesel_lockset::nonblocking::RunLockSet::lock(set, conn).await;
}

fn main() {}
