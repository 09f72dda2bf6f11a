include!("../bank.rs");

fn main() {
    let conn = &mut MysqlConnection::establish("").unwrap();
    let _ = AdvisoryLock::named("report").shared().hold(conn, |_| Ok::<_, LockError>(()));
}
