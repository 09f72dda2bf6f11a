//! Taking the next free rows over a blocking connection.

use std::{any::Any, collections::HashSet};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSqlRow},
    expression::QueryMetadata,
    query_builder::{AsChangeset, AsQuery, Query, QueryFragment},
    query_dsl::methods::SelectDsl,
    query_source::{QuerySource, Table},
    result::Error as DieselError,
};

use super::{blocking::LockConnection, send::each_row};
use crate::{
    backend::{LockingBackend, Picking},
    diesel_internals::{CompatibleType, RowRef, Statement, is_empty, transaction_depth},
    error::{LockError, Result},
    lockable::Lockable,
    mode::Strength,
    sql::{Choice, Columns, FoundRows, LockTarget, LockWords, Part, PickSource, RowLock, Sight, TableName},
};

/// Takes the next free rows of a query: the first ones in its order that nobody else holds.
///
/// Only rows of the model's table are locked, never those of a joined one, whose other rows other workers want too. Rows
/// that somebody holds are skipped, not waited for, so that many workers each get a row of their own at once.
///
/// | call | PostgreSQL |
/// | --- | --- |
/// | `pick_next`, `pick(n)` | `SELECT .. ORDER BY .. LIMIT n FOR UPDATE OF t SKIP LOCKED` |
/// | `claim(n, changes)` | `WITH picked AS MATERIALIZED (SELECT id .. LIMIT n FOR UPDATE OF t SKIP LOCKED), placed AS (..) UPDATE t SET .. FROM placed WHERE t.id = placed.k0 RETURNING ..` |
///
/// For another strength, or to take rows of another table or an alias of a joined query with the query's own select list,
/// put the locking clause on first: `query.for_no_key_update_of(jobs::table).pick_next(conn)`.
///
/// # Picked or claimed?
///
/// A *picked* row is held by the surrounding transaction: if the worker dies, the row is free again at once, and nothing
/// needs cleaning up. The transaction stays open for as long as the work takes, which keeps `VACUUM` from removing any row
/// version that died in the meantime, in the whole database; for work of more than some seconds, claim.
///
/// A *claimed* row is changed and, outside a transaction, committed at once: nothing is held while the work goes on. If the
/// worker dies, the row stays as it was claimed: write down a lease (`locked_until`, renewed while the work goes on) and let
/// the query choose rows whose lease ran out.
///
/// # The index
///
/// The filter and the order need an index together, such as `(queue, priority, id) WHERE status = 'new'`; without one each
/// pick sorts every candidate. The order should end in the primary key, or rows that compare equal come in any order.
///
/// # Looking without taking
///
/// There is no verb to see what is free: the only way to find out whether a row is held is to lock it. A look that locks and
/// lets go makes other workers skip the row meanwhile.
pub trait PickDsl: AsQuery + Sized
where
    Self::Query: PickSource,
{
    /// Locks and returns the first free row, or `None` if every row that matches is held, or none matches.
    ///
    /// Never waits. The lock ends with the transaction.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`]: nothing was sent.
    /// - [`LockError::Unsupported`]: the query has a `LIMIT`, an `OFFSET`, a `DISTINCT` or a `GROUP BY`; nothing was sent.
    /// - Under REPEATABLE READ and SERIALIZABLE, [`LockError::Serialization`]: the first free row changed after the
    ///   transaction's snapshot; the transaction is aborted.
    /// - [`LockError::ReadOnly`], [`LockError::Canceled`], [`LockError::ConnectionLost`], [`LockError::Query`].
    ///
    /// # Example: the next order to work on
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let order: Option<Order> = orders::table
    ///     .inner_join(customers::table)
    ///     .filter(customers::name.eq("Ada"))
    ///     .filter(orders::status.eq("open"))
    ///     .order(orders::id)
    ///     .pick_next(conn)?;
    /// # assert_eq!(order.map(|order| order.id), Some(1));
    /// # Ok(()) }) }
    /// ```
    fn pick_next<T, Conn>(self, conn: &mut Conn) -> Result<Option<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend>,
        Self::Query: Choice<Conn::Backend> + SelectDsl<<T::Table as Table>::PrimaryKey>,
    {
        Ok(self.pick(1, conn)?.pop())
    }

    /// Locks and returns the first `n` free rows, in the order of the query; fewer if fewer are free.
    ///
    /// A join that repeats a row counts it each time and returns it once.
    ///
    /// # Errors
    ///
    /// As [`pick_next`](Self::pick_next).
    fn pick<T, Conn>(self, n: u32, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend>,
        Self::Query: Choice<Conn::Backend> + SelectDsl<<T::Table as Table>::PrimaryKey>,
    {
        let query = ready(self.as_query(), conn, true)?;
        pick_models(&query, n, Strength::Update, conn)
    }

    /// Changes the first `n` free rows in one statement and returns them as changed, in the order of the query.
    ///
    /// `changes` is what Diesel's `set` takes: an assignment, a tuple of them, or a struct that derives `AsChangeset`. Takes
    /// no more than `n` rows under any plan. Works outside a transaction too: then the change is committed when the call
    /// returns, and nothing stays locked.
    ///
    /// # Errors
    ///
    /// As [`pick_next`](Self::pick_next), without [`LockError::NotInTransaction`]; [`LockError::Query`] if there is nothing
    /// to change.
    ///
    /// # Example: two orders, marked as taken
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let taken: Vec<Order> = orders::table
    ///     .filter(orders::status.eq("open"))
    ///     .order(orders::id)
    ///     .claim(2, orders::status.eq("packing"), conn)?;
    /// # assert_eq!(taken.iter().map(|order| (order.id, &*order.status)).collect::<Vec<_>>(), [(1, "packing"), (2, "packing")]);
    /// # Ok(()) }) }
    /// ```
    fn claim<T, C, Conn>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend>,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<Conn::Backend>>,
        Self::Query: Choice<Conn::Backend> + SelectDsl<<T::Table as Table>::PrimaryKey>,
    {
        let query = ready(self.as_query(), conn, false)?;
        claim_models(&query, n, &changes.as_changeset(), Strength::Update, conn)
    }
}

impl<Q> PickDsl for Q where Q: AsQuery<Query: PickSource> {}

/// [`PickDsl`] for a query with a locking clause on it: the strength, and the table or alias, are those of the clause; the
/// select list is the query's own.
pub trait PickLockedDsl<Q, S>: Sized {
    /// As [`PickDsl::pick_next`].
    ///
    /// # Errors
    ///
    /// As [`PickDsl::pick_next`].
    fn pick_next<U, Conn>(self, conn: &mut Conn) -> Result<Option<U>>
    where
        Conn: LockConnection<Backend: QueryMetadata<Q::SqlType>>,
        Q: Choice<Conn::Backend> + Query<SqlType: CompatibleType<U, Conn::Backend>>,
        S: QuerySource<FromClause: QueryFragment<Conn::Backend>>,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, Conn::Backend>>::SqlType, Conn::Backend>,
    {
        Ok(self.pick(1, conn)?.pop())
    }

    /// As [`PickDsl::pick`], but a row that a join repeats is returned each time.
    ///
    /// # Errors
    ///
    /// As [`PickDsl::pick_next`].
    fn pick<U, Conn>(self, n: u32, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection<Backend: QueryMetadata<Q::SqlType>>,
        Q: Choice<Conn::Backend> + Query<SqlType: CompatibleType<U, Conn::Backend>>,
        S: QuerySource<FromClause: QueryFragment<Conn::Backend>>,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, Conn::Backend>>::SqlType, Conn::Backend>;

    /// As [`PickDsl::claim`], with the strength of the clause.
    ///
    /// # Errors
    ///
    /// As [`PickDsl::claim`].
    fn claim<T, C, Conn>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend> + Lockable<Table = S>,
        S: Table,
        C: AsChangeset<Target = S, Changeset: QueryFragment<Conn::Backend>>,
        Q: Choice<Conn::Backend>;
}

impl<Q, S, L> PickLockedDsl<Q, S> for RowLock<Q, S, L>
where
    L: LockWords,
{
    fn pick<U, Conn>(self, n: u32, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection<Backend: QueryMetadata<Q::SqlType>>,
        Q: Choice<Conn::Backend> + Query<SqlType: CompatibleType<U, Conn::Backend>>,
        S: QuerySource<FromClause: QueryFragment<Conn::Backend>>,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, Conn::Backend>>::SqlType, Conn::Backend>,
    {
        let RowLock { query, table, .. } = self;
        let query = ready(query, conn, true)?;
        let table = TableName::of::<Conn::Backend>(&table.from_clause())?;
        let (limit, mut rows) = (i64::from(n), Vec::new());
        let picking = Picking { table: &table, strength: L::STRENGTH, limit: &limit };
        read(conn, Conn::Backend::pick(&query, Columns::Own, picking), |row| {
            rows.push(U::build_from_row(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    fn claim<T, C, Conn>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend> + Lockable<Table = S>,
        S: Table,
        C: AsChangeset<Target = S, Changeset: QueryFragment<Conn::Backend>>,
        Q: Choice<Conn::Backend>,
    {
        let query = ready(self.query, conn, false)?;
        claim_models(&query, n, &changes.as_changeset(), L::STRENGTH, conn)
    }
}

/// Sees to it that there is a transaction, if there must be one, and that the rows of the query are rows of a table.
fn ready<Q, Conn>(query: Q, conn: &mut Conn, in_transaction: bool) -> Result<Q>
where
    Conn: LockConnection,
    Q: Choice<Conn::Backend>,
{
    if in_transaction && transaction_depth(conn)?.is_none() {
        return Err(LockError::NotInTransaction);
    }
    let shape = query.shape()?;
    match (shape.folded, shape.limited) {
        (true, _) => Err(LockError::folded("DISTINCT, GROUP BY or HAVING")),
        (_, true) => {
            let advice = "leave the clause out and say how many rows to take: `query.pick(n, conn)`";
            Err(LockError::Unsupported { clause: "LIMIT or OFFSET", advice })
        }
        _ => Ok(query),
    }
}

fn pick_models<T, DB, Conn>(query: &dyn Choice<DB>, n: u32, strength: Strength, conn: &mut Conn) -> Result<Vec<T>>
where
    DB: LockingBackend,
    T: LockTarget<DB>,
    Conn: LockConnection<Backend = DB>,
{
    let mut part = T::part();
    let table = part.wanted().table_name()?;
    let limit = i64::from(n);
    let (wanted, found) = part.sides();
    let picking = Picking { table: &table, strength, limit: &limit };
    let statement = DB::pick(query, Columns::Of(wanted), picking);
    read(conn, statement, |row| found.read(row, Sight::Wanted))?;
    let mut rows = models::<T, DB>(part, &table);
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(row.lock_key()));
    Ok(rows)
}

fn claim_models<T, DB, Conn>(
    query: &dyn Choice<DB>,
    n: u32,
    changes: &dyn QueryFragment<DB>,
    strength: Strength,
    conn: &mut Conn,
) -> Result<Vec<T>>
where
    DB: LockingBackend,
    T: LockTarget<DB>,
    Conn: LockConnection<Backend = DB>,
{
    if is_empty::<DB>(changes)? {
        return Err(LockError::Query(DieselError::QueryBuilderError("there is nothing to change".into())));
    }
    let mut part = T::part();
    let table = part.wanted().table_name()?;
    let (limit, mut places) = (i64::from(n), Vec::new());
    let (wanted, found) = part.sides();
    let width = wanted.width();
    let picking = Picking { table: &table, strength, limit: &limit };
    let statement = DB::claim(query, wanted, changes, picking);
    read(conn, statement, |row| {
        places.push(DB::place(row, width)?);
        found.read(&row.window(0..width), Sight::Wanted)
    })?;
    let mut rows: Vec<_> = places.into_iter().zip(models::<T, DB>(part, &table)).collect();
    rows.sort_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn read<DB, Conn>(
    conn: &mut Conn,
    statement: Statement<'_, DB>,
    row: impl FnMut(&RowRef<'_, DB>) -> deserialize::Result<()>,
) -> Result<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    each_row(conn, statement, row).map_err(LockError::of_locking_statement)
}

fn models<T: Lockable, DB: Backend>(part: Box<dyn Part<DB>>, table: &TableName) -> Vec<T> {
    let rows: Box<dyn Any> = part.finish(table).rows;
    rows.downcast::<FoundRows<T>>().map(|mut found| found.take()).unwrap_or_default()
}
