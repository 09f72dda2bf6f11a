include!("../bank.rs");

impl Account {
    #[advisory_locked]
    fn pay(&self, _conn: &mut PgConnection) {}

    #[advisory_locked]
    fn is_paid(&self, _conn: &mut PgConnection) -> bool {
        true
    }
}

fn main() {}
