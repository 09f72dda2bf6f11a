include!("../bank.rs");

#[derive(Debug)]
struct Refused;

impl From<diesel::result::Error> for Refused {
    fn from(_: diesel::result::Error) -> Self {
        Refused
    }
}

fn lock(conn: &mut PgConnection, account: &Account) -> Result<i64, Refused> {
    account.with_lock(conn, |account, _| Ok(account.balance))
}

fn main() {}
