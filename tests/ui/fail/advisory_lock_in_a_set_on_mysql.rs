include!("../bank.rs");

fn main() {
    let conn = &mut MysqlConnection::establish("").unwrap();
    let _ = LockSet::new().id::<Account>(1).advisory(AdvisoryLock::named("report")).lock(conn);
}
