include!("../bank.rs");

#[derive(diesel::MultiConnection)]
enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

fn lock(conn: &mut AnyConnection) {
    let _ = Account::lock_by_id(1, conn);
}

fn main() {}
