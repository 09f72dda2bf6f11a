include!("../bank.rs");

impl Account {
    #[advisory_locked(scope = "", timeout = "45 seconds", try, session, conn = "connection")]
    async fn pay(self, conn: &mut PgConnection) -> bool {
        conn.transaction(|_| Ok::<_, LockError>(true)).is_ok()
    }
}

fn main() {}
