include!("../bank.rs");

fn set(conn: &mut PgConnection, team: Vec<Account>) {
    let _ = LockSet::new().rows(team).lock(conn);
}

fn main() {}
