include!("../bank.rs");

trait Pay {
    #[advisory_locked]
    fn pay(&self, conn: &mut PgConnection) -> Result<(), LockError>;
}

fn main() {}
