#![deny(unused_must_use)]

include!("../bank.rs");

fn set(conn: &mut PgConnection, account: &Account) -> Result<(), LockError> {
    LockSet::<diesel::pg::Pg>::new().row(account).ids::<Account>([2, 3]);
    let _ = account.lock(conn)?;
    Ok(())
}

fn main() {}
