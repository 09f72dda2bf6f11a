include!("../bank.rs");

impl Account {
    #[advisory_locked]
    fn pay(&self, conn: &mut PgConnection) -> Result<i64, LockError> {
        let count: i64 = accounts::table.count().get_result(conn)?;
        Ok(count.to_string())
    }
}

fn main() {}
