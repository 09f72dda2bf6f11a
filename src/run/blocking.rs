//! Locking over a blocking Diesel connection.

use diesel::{
    connection::Connection,
    result::{Error as DieselError, QueryResult},
};

use crate::{
    backend::{Exchange, LockingBackend, TableDialogue},
    diesel_internals::{DefaultLoadingMode, LoadConnection, RowRef, transaction_depth},
    error::{LockError, Result},
    key::IntoKey,
    lock_set::{LockSet, Locked},
    lockable::Lockable,
    sql::LockTarget,
};

/// A connection that rows can be locked over: any of Diesel's, also out of a pool, to a backend that has row locks.
///
/// Implemented for all of them; name it as a bound in code that is generic over connections.
#[diagnostic::on_unimplemented(
    message = "rows cannot be locked over `{Self}`",
    label = "not a connection to a backend with row locks"
)]
pub trait LockConnection:
    Connection<Backend: LockingBackend> + LoadConnection<DefaultLoadingMode>
{
}

impl<Conn> LockConnection for Conn
where
    Conn: Connection<Backend: LockingBackend> + LoadConnection<DefaultLoadingMode>,
{
}

pub trait RunLockSet<DB: LockingBackend>: Sized {
    fn lock<Conn>(self, conn: &mut Conn) -> Result<Locked>
    where
        Conn: LockConnection<Backend = DB>;
}

impl<DB: LockingBackend> RunLockSet<DB> for LockSet<'_, DB> {
    fn lock<Conn>(self, conn: &mut Conn) -> Result<Locked>
    where
        Conn: LockConnection<Backend = DB>,
    {
        if transaction_depth(conn)?.is_none() {
            return Err(LockError::NotInTransaction);
        }
        let allow_missing = self.allows_missing();
        let mut finished = Vec::new();
        for mut table in self.into_tables()? {
            loop {
                let Some(exchange) = table.exchange() else { break };
                send(conn, exchange)?;
                table.end_of_rows()?;
            }
            finished.extend(table.finish());
        }
        Locked::new(finished, allow_missing)
    }
}

fn send<DB, Conn>(conn: &mut Conn, exchange: Exchange<'_, DB>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let Exchange { statement, mut reader } = exchange;
    for row in LoadConnection::<DefaultLoadingMode>::load(conn, statement)? {
        RowRef::of(&row?, |row| reader.row(row)).map_err(DieselError::DeserializationError)?;
    }
    Ok(())
}

pub trait LockDsl: Lockable {
    fn lock<Conn>(&self, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    fn with_lock<Conn, R, E>(
        &self,
        conn: &mut Conn,
        f: impl FnOnce(Self, &mut Conn) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        E: From<LockError> + From<DieselError>;
}

impl<T: Lockable> LockDsl for T {
    fn lock<Conn>(&self, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        Self::lock_by_id(self.lock_key(), conn)
    }

    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        let id = id.into_key();
        RunLockSet::lock(LockSet::new().id::<T>(&id), conn)?.take_id::<T>(id)
    }

    fn with_lock<Conn, R, E>(
        &self,
        conn: &mut Conn,
        f: impl FnOnce(Self, &mut Conn) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        E: From<LockError> + From<DieselError>,
    {
        conn.transaction(|conn| {
            let row = LockDsl::lock(self, conn)?;
            f(row, conn)
        })
    }
}
