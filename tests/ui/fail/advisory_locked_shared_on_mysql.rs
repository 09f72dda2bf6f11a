include!("../bank.rs");

impl Account {
    #[advisory_locked(shared)]
    fn look(&self, _conn: &mut MysqlConnection) -> Result<(), LockError> {
        Ok(())
    }
}

fn main() {}
