include!("../bank.rs");

fn main() {
    let conn = &mut MysqlConnection::establish("").unwrap();
    let _ = AdvisoryLock::named("report").acquire_for_transaction(conn);
}
