include!("../bank.rs");

impl Account {
    #[advisory_locked(timeout = "soon")]
    fn pay(&self, _conn: &mut PgConnection) -> Result<(), LockError> {
        Ok(())
    }

    #[advisory_locked(timeout = 45)]
    fn pay_out(&self, _conn: &mut PgConnection) -> Result<(), LockError> {
        Ok(())
    }
}

fn main() {}
