use diesel::prelude::*;
use diesel_lockset::prelude::*;

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Queryable, Selectable, Lockable)]
struct Account {
    #[diesel(column_name = balance)]
    number: i64,
}

/// Uses of the model stay silent: one mistake, one error.
fn uses(account: &Account, conn: &mut PgConnection) -> Result<i64, LockError> {
    let fresh = account.lock(conn)?;
    let by_id = Account::lock_by_id(42, conn)?;
    let set = LockSet::new().row(account).ids::<Account>([3_i64, 17]).query::<Account>(accounts::table);
    let locked = set.lock(conn)?;
    let number = locked.row(account)?.number + locked.rows::<Account>().iter().map(|row| row.number).sum::<i64>();
    let key: i64 = account.lock_key();
    Ok(fresh.number + by_id.number + number + key)
}

fn main() {}
