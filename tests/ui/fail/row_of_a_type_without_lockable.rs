include!("../bank.rs");

fn set(conn: &mut PgConnection, account: &Account) -> Result<(), LockError> {
    let locked = LockSet::new().row(account).lock(conn)?;
    let _ = locked.rows::<String>();
    Ok(())
}

fn main() {}
