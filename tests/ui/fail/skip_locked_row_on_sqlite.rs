include!("../bank.rs");

fn row(conn: &mut SqliteConnection, account: &Account) {
    let _: Result<Option<Account>, _> = account.skip_locked().lock(conn);
}

fn main() {}
