//! Picks and claims the next free rows over a blocking connection.

use diesel::query_builder::{AsChangeset, AsQuery, QueryFragment};

use super::{
    connection::LockConnection,
    driver::{Blocking, now},
};
use crate::{
    core,
    error::Result,
    lockable::Lockable,
    pick::{ClaimFrom, PickFrom},
};

/// Locks the next free rows of a query: the first ones in its order that no other session holds.
///
/// Only rows of the model's table are locked, never those of a joined table, which other workers need too. Rows
/// that another session holds are skipped and not waited for, so that many workers each get a row of their own at once.
///
/// | call | PostgreSQL | MySQL, MariaDB |
/// | --- | --- | --- |
/// | `pick_next`, `pick(n)` | `SELECT .. ORDER BY .. LIMIT n FOR UPDATE OF t SKIP LOCKED` | `WITH _candidates (k0) AS (SELECT id .. ORDER BY .. LIMIT 64) SELECT .. FROM _candidates STRAIGHT_JOIN t FORCE INDEX (PRIMARY) ON id = k0 WHERE .. LIMIT n FOR UPDATE SKIP LOCKED`; again with more candidates if too few of them were free |
/// | `claim(n, changes)` | `WITH _picked AS MATERIALIZED (SELECT id, tableoid .. LIMIT n FOR UPDATE OF t SKIP LOCKED), _placed AS (..), _changed AS (UPDATE t SET .. FROM _placed WHERE t.id = _placed.k0 AND .. RETURNING ..) SELECT .. FROM (SELECT count(*) FROM _picked) AS _count LEFT JOIN _changed ON true` | in a transaction, or a savepoint of it: the pick, `UPDATE t SET .. WHERE id IN (..)`, and the rows again; the `UPDATE`, and what ends the transaction, fail on MariaDB if it is gone |
///
/// A query with a join, a subquery, raw SQL, or a function or an operator of your own in its conditions is sent once more when its
/// rows are locked. If one of them no longer matches, the pick takes other rows. The server itself rechecks the conditions on a row that
/// changed before it was locked, but not those on other rows ([manual][recheck]). A claim by such a query is a transaction of several
/// statements. The second query needs READ COMMITTED: [`Isolation`](crate::Isolation#what-a-lock-set-a-pick-or-a-claim-answers) has the
/// guarantees of each level. In a pick with a locking clause of its own, such conditions are as old as the statement: let the worker that
/// is done with a row write that into the row itself. A row that is given up stays locked until the transaction ends.
///
/// A value that a model computes by a subquery (`select_expression`) may be as old as the statement, too:
/// [`LockSet`](crate::LockSet#subqueries-in-a-model).
///
/// On PostgreSQL, a number up to 100 is part of the statement text, so that the server can cache a plan for it. A greater one is a bind
/// parameter.
///
/// On MySQL and MariaDB a pick with a locking clause of its own adds the clause to the query as it is: InnoDB then locks every row
/// that it reads on the way, and MariaDB the rows of joined tables too. Without a clause, neither does: the candidate rows are read
/// without a lock and checked again under it.
///
/// Under row-level security PostgreSQL shows to a locking clause only the rows that the policies for `UPDATE` show
/// ([manual][policies]). So a pick chooses among the rows that its role may lock. The others are passed over, whether they match or not,
/// and `None` does not mean that a plain `SELECT` would show no row.
///
/// A full-text search (`MATCH .. AGAINST`, in conditions and orders) finds rows that other transactions have [committed][fulltext], and
/// nothing that this transaction has written.
///
/// On SQLite no row is held singly: the transaction becomes the only writer, for which it waits, and takes the first rows. No two workers
/// get the same row ([page](crate::_documentation::sqlite)).
///
/// Rows that this transaction already holds are free to it: a second pick without a change in between returns the same row.
///
/// For another strength, or to take rows of another table or an alias of a joined query with the query's own select list,
/// add the locking clause last: `query.for_no_key_update_of(jobs::table).pick_next(conn)`, with
/// `.select(Job::as_select())` before it for a model. Do so for rows that other rows
/// refer to by foreign key: while a row is picked `FOR UPDATE`, a session that inserts a row that refers to it waits until the worker
/// is done ([manual][rows]; measured: 501 ms for work of 500 ms, 2 ms with `for_no_key_update_of`).
///
/// # Picked or claimed?
///
/// A *picked* row is held by the surrounding transaction: if the worker dies, the row is free again at once, and nothing
/// needs cleaning up. But nothing is recorded either: a job that kills its worker is tried for ever.
///
/// The transaction stays open for as long as the work takes, and any open transaction keeps `VACUUM` from removing the
/// row versions that died meanwhile, in the whole database ([manual][vacuum]). A queue is affected most, as its dead rows are at
/// the head of the index: after 100,000 rows were retired beside an open transaction with an old snapshot, a pick read 8,684
/// pages in 19 ms, instead of 7 pages in 0.1 ms after a `VACUUM` without one. For work of more than some seconds, claim.
///
/// A *claimed* row is changed and, outside a transaction, committed at once: nothing is held while the work goes on, and each
/// try is counted before it begins. If the worker dies, the row stays as it was claimed: store a lease (`locked_until`,
/// renewed while the work goes on) and let the query choose rows whose lease has expired. A worker whose lease has expired must not
/// finish a row that another worker has claimed since: guard its last `UPDATE` by the values that the claim wrote (`attempts`,
/// `locked_by`). Both ways are in the example `worker_queue`. A claim that ends in [`LockError::CommitUnknown`](crate::LockError::CommitUnknown) may have been committed:
/// its rows come back when their lease has expired. To let a job wait before it is tried again, store the time (`run_at`) and
/// let the query choose rows whose time has come.
///
/// Over several nodes of a cluster, two workers can have the same row until one of them commits; the pick or claim of the other
/// ends in `Deadlock` or `Serialization` then ([`clusters`](crate::_documentation::clusters)).
///
/// # The index
///
/// The filter and the order need an index together, such as `(queue, status, priority, id)`; without one each pick sorts
/// every candidate: of 200,000 rows, 167 ms instead of 0.07. The order should end in the primary key, or rows that compare
/// equal come in any order.
///
/// A partial index is smaller, but a plan that the server caches must be valid for every value, and Diesel binds values: with
/// `WHERE status = 'new'` on the index and `status.eq("new")` in the query, each call is planned anew (0.12 ms instead of
/// 0.07). Use a condition without a value in the index: `WHERE taken_at IS NULL` for `taken_at.is_null()`.
///
/// The measurements are in `benches/RESULTS.md`, beside picks and claims per second.
///
/// [policies]: https://www.postgresql.org/docs/current/sql-createpolicy.html
/// [fulltext]: https://dev.mysql.com/doc/refman/9.7/en/innodb-fulltext-index.html
/// [recheck]: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
/// [rows]: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
/// [vacuum]: https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY
///
/// # Looking without taking
///
/// There is no method that shows the free rows: the only way to find out whether a row is held is to lock it. A method that locks and
/// releases would make other workers skip the row meanwhile.
pub trait PickDsl<Conn>: AsQuery + Sized {
    /// Locks and returns the first free row, or `None` if every row that matches is held, or no row matches.
    ///
    /// It never waits for a row, except under SERIALIZABLE on MySQL and MariaDB, where every plain read does, and for the writer on SQLite. It
    /// does wait for a table
    /// that another session has locked as a whole, to alter it for instance. The lock ends with the transaction.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`](crate::LockError::NotInTransaction): nothing was sent.
    /// - [`LockError::NotLockable`](crate::LockError::NotLockable): the table is a view, a materialized view or a foreign table, has no primary key (MySQL, MariaDB), or
    ///   may not be locked by this role; no row was touched. On PostgreSQL the transaction is aborted.
    /// - [`LockError::Unsupported`](crate::LockError::Unsupported): the query has a `LIMIT`, an `OFFSET`, a `DISTINCT` or a `GROUP BY`, or
    ///   [raw SQL](crate::LockQueryDsl#raw-sql) behind which the clauses of a pick would have no effect; nothing was sent, the transaction
    ///   goes on. Or its conditions are on more than the row itself, and a second query cannot check them at the
    ///   [level](crate::Isolation) of the transaction; no row was touched, the transaction goes on.
    /// - On PostgreSQL and on MariaDB from 11.6.2 on, under REPEATABLE READ and SERIALIZABLE, [`LockError::Serialization`](crate::LockError::Serialization): the
    ///   first free row changed after the transaction's snapshot; the transaction is aborted. On PostgreSQL also under READ
    ///   COMMITTED, if the change has moved the row to another partition.
    /// - [`LockError::ReadOnly`](crate::LockError::ReadOnly), [`LockError::Canceled`](crate::LockError::Canceled), [`LockError::ConnectionLost`](crate::LockError::ConnectionLost), [`LockError::Query`](crate::LockError::Query).
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
    fn pick_next<T>(self, conn: &mut Conn) -> Result<Option<T>>
    where
        Conn: LockConnection,
        Self::Query: PickFrom<T, Conn::Backend>,
    {
        Ok(self.pick(1, conn)?.pop())
    }

    /// Locks and returns the first `n` free rows, in the order of the query; fewer if fewer are free.
    ///
    /// The order is that of the moment at which the server sorted the rows: a row whose place changed before it was locked is returned
    /// with its new values in its old place ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    ///
    /// A row that a join repeats is counted each time and returned once. With a locking clause of its own the query is not rewritten, and
    /// the row is returned as often as the join has it.
    ///
    /// # Errors
    ///
    /// As [`pick_next`](Self::pick_next).
    fn pick<T>(self, n: u32, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        Self::Query: PickFrom<T, Conn::Backend>,
    {
        now(core::pick(&mut Blocking(conn), self.as_query().picks(n)))
    }

    /// Changes the first `n` free rows and returns them as changed, in the order of the query: in one statement on PostgreSQL, in
    /// one transaction on MySQL and MariaDB.
    ///
    /// `changes` is the argument of Diesel's `set`: an assignment, a tuple of them, or a struct that derives `AsChangeset`. The call
    /// changes no more than `n` rows under any plan. It works outside a transaction too: then the change is committed when the call
    /// returns, and nothing stays locked.
    ///
    /// # Errors
    ///
    /// Those of [`pick_next`](Self::pick_next), without [`LockError::NotInTransaction`](crate::LockError::NotInTransaction), and:
    ///
    /// - outside of a transaction, [`LockError::CommitUnknown`](crate::LockError::CommitUnknown) if the connection is lost on the way: on PostgreSQL in the one statement,
    ///   or before it if the loss was not noticed yet, on MySQL and MariaDB in the `COMMIT`;
    /// - [`LockError::Query`](crate::LockError::Query) if there is nothing to change;
    /// - [`LockError::Unsupported`](crate::LockError::Unsupported) also for raw SQL in the changes that would absorb or change what is written behind it,
    ///   by the same rules [as in a query](crate::RowLock#raw-sql): an open quote, a line comment at its end, a `;`, a `LIMIT`. Other raw SQL is sent
    ///   as it is, such as `sql::<Timestamp>("LOCALTIMESTAMP + interval '5 minutes'")`;
    /// - [`LockError::Unsupported`](crate::LockError::Unsupported) on MySQL and MariaDB if the primary key is changed, and on PostgreSQL if a trigger
    ///   refuses the change of every row that was picked: nothing is changed then. If it refuses some of several rows, the others are returned.
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
    /// # assert!(taken.iter().all(|order| order.status == "packing"));
    /// # assert_eq!(taken.iter().map(|order| order.id).collect::<Vec<_>>(), [1, 2]);
    /// # Ok(()) }) }
    /// ```
    fn claim<T, C>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: Lockable,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<Conn::Backend>>,
        Self::Query: ClaimFrom<T, Conn::Backend, C::Changeset>,
    {
        now(core::claim(&mut Blocking(conn), self.as_query().claims(n, changes.as_changeset())))
    }
}

impl<Q: AsQuery, Conn> PickDsl<Conn> for Q {}
