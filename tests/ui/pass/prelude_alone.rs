// All that generic code names is in the prelude, and a query that locks is a type.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

diesel::table! { accounts (id) { id -> BigInt, owner -> Text, } }

#[derive(Debug, Queryable, Selectable, Lockable)]
struct Account {
    id: i64,
    owner: String,
}

/// Over any connection, and any model.
fn fresh<C: LockConnection, T: LockTarget<C::Backend>>(conn: &mut C, row: &T) -> Result<T, LockError> {
    LockTransaction::new().run(conn, |conn| row.lock(conn))
}

#[diesel::dsl::auto_type(dsl_path = "diesel_lockset::dsl")]
fn free() -> _ {
    accounts::table.filter(accounts::owner.eq("nobody")).for_update_of(accounts::table).skip_locked()
}

fn first(conn: &mut PgConnection) -> Result<Option<Account>, LockError> {
    conn.transaction(|conn| free().first::<Account>(conn).optional())
}

/// A queue that is generic over the backend, and over what it hands out.
fn next<C, T, Q>(conn: &mut C, query: Q) -> Result<Option<T>, LockError>
where
    C: LockConnection,
    Q: diesel::query_builder::AsQuery<Query: diesel_lockset::bounds::PickFrom<T, C::Backend>>,
{
    conn.transaction(|conn| query.pick_next(conn))
}

fn of_postgres(conn: &mut PgConnection) -> Result<Option<Account>, LockError> {
    next(conn, accounts::table.order(accounts::id))
}

fn of_mysql(conn: &mut MysqlConnection) -> Result<Option<Account>, LockError> {
    next(conn, accounts::table.order(accounts::id))
}

fn main() {
    let _ = (fresh::<PgConnection, Account>, first, of_postgres, of_mysql);
}
