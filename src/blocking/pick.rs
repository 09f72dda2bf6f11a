//! Taking the next free rows over a blocking connection.

use diesel::query_builder::{AsChangeset, AsQuery, QueryFragment};

use super::{
    connection::LockConnection,
    driver::{Blocking, now},
};
use crate::{
    core::{self, Driver},
    error::{LockError, Result},
    lockable::Lockable,
    pick::{ClaimFrom, PickFrom},
};

/// Takes the next free rows of a query: the first ones in its order that nobody else holds.
///
/// Only rows of the model's table are locked, never those of a joined one, whose other rows other workers want too. Rows
/// that somebody holds are skipped, not waited for, so that many workers each get a row of their own at once.
///
/// | call | PostgreSQL | MySQL, MariaDB |
/// | --- | --- | --- |
/// | `pick_next`, `pick(n)` | `SELECT .. ORDER BY .. LIMIT n FOR UPDATE OF t SKIP LOCKED` | `WITH _candidates (k0) AS (SELECT id .. ORDER BY .. LIMIT 64) SELECT .. FROM _candidates STRAIGHT_JOIN t FORCE INDEX (PRIMARY) ON id = k0 WHERE .. LIMIT n FOR UPDATE SKIP LOCKED`; again with more candidates if too few of them were free |
/// | `claim(n, changes)` | `WITH _picked AS MATERIALIZED (SELECT id, tableoid .. LIMIT n FOR UPDATE OF t SKIP LOCKED), _placed AS (..), _changed AS (UPDATE t SET .. FROM _placed WHERE t.id = _placed.k0 AND .. RETURNING ..) SELECT .. FROM (SELECT count(*) FROM _picked) AS _count LEFT JOIN _changed ON true` | in a transaction, or a savepoint of it: the pick, `UPDATE t SET .. WHERE id IN (..)`, and the rows again; before the `UPDATE` and at the end `SET @diesel_lockset_open = ..`, which fails on MariaDB if the transaction is gone |
///
/// A query with a join, a subquery, raw SQL, or a function or an operator of your own in its conditions is asked once more when its
/// rows are locked, and for other rows if one does not match any more: a server looks again at a row that changed before it was
/// locked, but not at what another row says of it ([manual][recheck]). A claim by such a query is a transaction of several statements. That needs
/// READ COMMITTED: what holds at which level is at [`Isolation`](crate::Isolation#what-a-lock-set-a-pick-or-a-claim-answers). In a pick with a
/// locking clause of its own such conditions are as old as the statement: let whoever is done with a row write that into the row itself. A row
/// that is given up stays locked until the transaction ends.
///
/// What a model computes by a subquery (`select_expression`) may be as old as the statement, too:
/// [`LockSet`](crate::LockSet#subqueries-in-a-model).
///
/// On PostgreSQL, up to 100 the number is part of the text, so that the server can keep a plan for it; beyond, it is a parameter.
///
/// On MySQL and MariaDB a pick with a locking clause of its own puts the clause onto the query as it is: InnoDB then locks every row
/// that it reads on the way, and MariaDB the rows of joined tables too. Without a clause, neither does.
///
/// There, the candidates are read without a lock and looked at again under it.
///
/// Under row-level security PostgreSQL shows to a locking clause only what the policies for `UPDATE` show ([manual][policies]). So a
/// pick chooses among the rows that its role may lock: the others are passed over, whether they match or not, and `None` does not say
/// that a plain `SELECT` would show no row.
///
/// A search in full text (`MATCH .. AGAINST`, in conditions and orders) finds what others have [committed][fulltext], and nothing that
/// this transaction has written.
///
/// Rows that this very transaction holds are free to it: a second pick without a change in between returns the same row.
///
/// For another strength, or to take rows of another table or an alias of a joined query with the query's own select list,
/// put the locking clause on last: `query.for_no_key_update_of(jobs::table).pick_next(conn)`, with
/// `.select(Job::as_select())` before it for a model. Do so for rows that others
/// refer to by foreign key: while a row is picked `FOR UPDATE`, whoever inserts a row that refers to it waits until the worker
/// is done ([manual][rows]; measured: 501 ms for work of 500 ms, 2 ms with `for_no_key_update_of`).
///
/// # Picked or claimed?
///
/// A *picked* row is held by the surrounding transaction: if the worker dies, the row is free again at once, and nothing
/// needs cleaning up. But nothing is written down either: a job that kills its worker is tried for ever.
///
/// The transaction stays open for as long as the work takes, and any transaction that does keeps `VACUUM` from removing the
/// row versions that died meanwhile, in the whole database ([manual][vacuum]). A queue feels it first, as its dead rows lie at
/// the head of the index: after 100,000 rows were retired beside an open transaction with an old snapshot, a pick read 8,684
/// pages in 19 ms, instead of 7 pages in 0.1 ms after a `VACUUM` without one. For work of more than some seconds, claim.
///
/// A *claimed* row is changed and, outside a transaction, committed at once: nothing is held while the work goes on, and each
/// try is counted before it begins. If the worker dies, the row stays as it was claimed: write down a lease (`locked_until`,
/// renewed while the work goes on) and let the query choose rows whose lease ran out. A worker whose lease ran out must not
/// finish what somebody else has claimed since: guard its last `UPDATE` by what the claim wrote (`attempts`, `locked_by`).
/// Both ways are in the example `worker_queue`. A claim that ends in [`LockError::CommitUnknown`] may have been committed: its
/// rows come back when their lease has run out. To let a job wait before it is tried again, write down when (`run_at`) and
/// let the query choose rows whose time has come.
///
/// Over several nodes of a cluster, two workers can be at the same row until one of them commits; the other one's pick or claim
/// ends in `Deadlock` or `Serialization` then ([`clusters`](crate::_documentation::clusters)).
///
/// # The index
///
/// The filter and the order need an index together, such as `(queue, status, priority, id)`; without one each pick sorts
/// every candidate: of 200,000 rows, 167 ms instead of 0.07. The order should end in the primary key, or rows that compare
/// equal come in any order.
///
/// A partial index is smaller, but a plan that the server keeps must be good for every value, and Diesel binds values: with
/// `WHERE status = 'new'` on the index and `status.eq("new")` in the query, each call is planned anew (0.12 ms instead of
/// 0.07). Let the index ask for what needs no value: `WHERE taken_at IS NULL` for `taken_at.is_null()`.
///
/// How this was measured is in `benches/RESULTS.md`, beside picks and claims per second.
///
/// [policies]: https://www.postgresql.org/docs/current/sql-createpolicy.html
/// [fulltext]: https://dev.mysql.com/doc/refman/9.7/en/innodb-fulltext-index.html
/// [recheck]: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
/// [rows]: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
/// [vacuum]: https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY
///
/// # Looking without taking
///
/// There is no verb to see what is free: the only way to find out whether a row is held is to lock it. A look that locks and
/// lets go makes other workers skip the row meanwhile.
pub trait PickDsl: AsQuery + Sized {
    /// Locks and returns the first free row, or `None` if every row that matches is held, or none matches.
    ///
    /// Never waits for a row, but under SERIALIZABLE on MySQL and MariaDB, where every plain read does; it does wait for a table
    /// that somebody has locked as a whole, to alter it say. The lock ends with the transaction.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`]: nothing was sent.
    /// - [`LockError::NotLockable`]: the table is a view, a materialized view or a foreign table, has no primary key (MySQL, MariaDB), or
    ///   may not be locked by this role; no row was touched. On PostgreSQL the transaction is aborted.
    /// - [`LockError::Unsupported`]: the query has a `LIMIT`, an `OFFSET`, a `DISTINCT` or a `GROUP BY`, or
    ///   [raw SQL](crate::LockQueryDsl#raw-sql) behind which what a pick writes would not count; nothing was sent, the transaction goes
    ///   on. Or its conditions are about more than the row itself, and the [level](crate::Isolation) of the transaction does not let them
    ///   be asked again; no row was touched, the transaction goes on.
    /// - On PostgreSQL and on MariaDB from 11.6.2 on, under REPEATABLE READ and SERIALIZABLE, [`LockError::Serialization`]: the
    ///   first free row changed after the transaction's snapshot; the transaction is aborted. On PostgreSQL also under READ
    ///   COMMITTED, if the change has moved the row to another partition.
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
    fn pick_next<'a, T, Conn>(self, conn: &mut Conn) -> Result<Option<T>>
    where
        Conn: LockConnection,
        Self::Query: PickFrom<'a, T, Conn::Backend>,
    {
        Ok(self.pick(1, conn)?.pop())
    }

    /// Locks and returns the first `n` free rows, in the order of the query; fewer if fewer are free.
    ///
    /// The order is that of the moment at which the server sorted them: a row whose place changed before it was locked comes
    /// with its new values in its old place ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    ///
    /// A join that repeats a row counts it each time and returns it once; with a locking clause of its own, the query selects by
    /// itself, and the row comes as often as the join has it.
    ///
    /// # Errors
    ///
    /// As [`pick_next`](Self::pick_next).
    fn pick<'a, T, Conn>(self, n: u32, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        Self::Query: PickFrom<'a, T, Conn::Backend>,
    {
        let driver = &mut Blocking(conn);
        if driver.depth()?.is_none() {
            return Err(LockError::NotInTransaction);
        }
        now(core::pick(driver, self.as_query().picks(n)?))
    }

    /// Changes the first `n` free rows and returns them as changed, in the order of the query: in one statement on PostgreSQL, in
    /// one transaction on MySQL and MariaDB.
    ///
    /// `changes` is what Diesel's `set` takes: an assignment, a tuple of them, or a struct that derives `AsChangeset`. Takes
    /// no more than `n` rows under any plan. Works outside a transaction too: then the change is committed when the call
    /// returns, and nothing stays locked.
    ///
    /// # Errors
    ///
    /// As [`pick_next`](Self::pick_next), without [`LockError::NotInTransaction`]; outside of a transaction
    /// [`LockError::CommitUnknown`] if the connection is lost on the way: on PostgreSQL in the one statement, or before it if nobody has
    /// noticed yet, on MySQL and MariaDB in the `COMMIT`; [`LockError::Query`] if there is nothing to change;
    /// [`LockError::Unsupported`] also for raw SQL in the changes, on MySQL and MariaDB if the primary key is changed, and on PostgreSQL if a
    /// trigger refuses the change of every row that was picked: nothing is changed then. If it refuses some of several, the others come back.
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
    fn claim<'a, T, C, Conn>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>>
    where
        Conn: LockConnection,
        T: Lockable,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<Conn::Backend> + 'a>,
        Self::Query: ClaimFrom<'a, T, Conn::Backend>,
    {
        let driver = &mut Blocking(conn);
        // Fails if nobody knows any more what state the connection is in.
        driver.depth()?;
        now(core::claim(driver, self.as_query().claims(n, Box::new(changes.as_changeset()))?))
    }
}

impl<Q: AsQuery> PickDsl for Q {}
