include!("../bank.rs");

use diesel::{
    connection::LoadConnection,
    pg::Pg,
    r2d2::{ConnectionManager, PooledConnection},
};
use diesel_lockset::{LockConnection, LockTarget, Locked, bounds::{LockingBackend, RowQuery}};

fn of_one_backend<C: LockConnection<Backend = Pg>>(conn: &mut C, account: &Account) -> Result<i64, LockError> {
    let fresh = conn.transaction(|conn| account.lock(conn))?;
    account.with_lock(conn, |account, conn| {
        let boxed = transfers::table.filter(transfers::account_id.eq(account.id)).into_boxed();
        let locked = LockSet::new().row(&account).query::<Transfer>(boxed).lock(conn)?;
        let sum: i64 = locked.rows::<Transfer>().iter().map(|transfer| transfer.amount).sum();
        diesel::update(accounts::table.find(account.id)).set(accounts::balance.eq(sum)).execute(conn)?;
        Ok::<_, LockError>(fresh.balance)
    })
}

fn of_any_backend<C, T>(conn: &mut C, rows: &[T]) -> Result<Vec<T>, LockError>
where
    C: LockConnection,
    T: LockTarget<C::Backend>,
{
    let mut locked: Locked = conn.transaction(|conn| LockSet::new().rows(rows).lock(conn))?;
    Ok(locked.take_rows())
}

fn with_diesels_words<C>(conn: &mut C) -> Result<Account, diesel::result::Error>
where
    C: diesel::Connection<Backend = Pg> + LoadConnection,
{
    conn.transaction(|conn| {
        let account = Account::lock_by_id(1, conn)?;
        let _: Vec<Account> = accounts::table.for_share_of(accounts::table).load(conn)?;
        Ok(account)
    })
}

fn of_any_query<'q, DB, T>(query: impl RowQuery<'q, T, DB>) -> LockSet<'q, DB>
where
    DB: LockingBackend,
    T: LockTarget<DB>,
{
    LockSet::new().query::<T>(query)
}

fn pooled(conn: &mut PooledConnection<ConnectionManager<PgConnection>>, account: &Account) -> Result<(), LockError> {
    of_one_backend(conn, account)?;
    of_any_backend(conn, std::slice::from_ref(account))?;
    of_any_backend(&mut **conn, std::slice::from_ref(account))?;
    with_diesels_words(conn)?;
    conn.transaction(|conn| of_any_query::<_, Account>(accounts::table.limit(1)).lock(conn))?;
    Ok(())
}

fn main() {
    let _ = pooled;
}
