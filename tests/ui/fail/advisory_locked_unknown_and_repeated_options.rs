include!("../bank.rs");

impl Account {
    #[advisory_locked(scopes = "pay", timeout = "1s", shared, timeout = "2s", shared)]
    fn pay(&self, _conn: &mut PgConnection) -> Result<(), LockError> {
        Ok(())
    }
}

fn main() {}
