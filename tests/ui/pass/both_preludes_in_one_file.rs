// One program locks over connections of both kinds: each in a module of its own, by the same names.

include!("../bank.rs");

mod blocking {
    use diesel::prelude::*;
    use diesel_lockset::prelude::*;

    use super::Account;

    pub(crate) fn refreshed(conn: &mut PgConnection, account: &Account) -> Result<Account, LockError> {
        LockTransaction::new().run(conn, |conn| account.lock(conn))
    }
}

mod nonblocking {
    use diesel_async::AsyncPgConnection;
    use diesel_lockset::nonblocking::prelude::*;

    use super::Account;

    pub(crate) async fn refreshed(conn: &mut AsyncPgConnection, account: &Account) -> Result<Account, LockError> {
        LockTransaction::new().run(conn, async |conn| account.lock(conn).await).await
    }
}

fn main() {
    let _ = (blocking::refreshed, nonblocking::refreshed);
}
