include!("../bank.rs");

fn hold(conn: &mut SqliteConnection) {
    let _ = AdvisoryLock::named("report").hold(conn, |_| Ok::<_, LockError>(()));
}

fn main() {}
