use diesel_async::AsyncPgConnection;
use diesel_lockset::{LockError, LockTransaction, nonblocking::RunLockTransaction};

/// A value that is not `Clone`.
struct Receipt(String);

fn text(receipt: Receipt) -> String {
    receipt.0
}

async fn runs_once(conn: &mut AsyncPgConnection, receipt: Receipt) -> Result<String, LockError> {
    LockTransaction::new()
        .run(conn, async move |_conn| Ok::<_, LockError>(text(receipt)))
        .await
}

fn main() {}
