include!("../bank.rs");

fn set(conn: &mut SqliteConnection) {
    let _ = LockSet::new().advisory(AdvisoryLock::named("report")).id::<Account>(1).lock(conn);
}

fn main() {}
