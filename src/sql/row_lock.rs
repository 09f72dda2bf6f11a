//! Locking clauses on a single query of the application's: `query.for_update_of(table)`, boxed or not.

use std::{marker::PhantomData, time::Duration};

use diesel::{
    backend::Backend,
    dsl::Limit,
    expression::{SelectableExpression, ValidGrouping, is_aggregate},
    query_builder::{AsQuery, Query},
    query_dsl::methods::{LimitDsl, LockingDsl},
    query_source::QuerySource,
};

use crate::{
    diesel_internals::{BoxedSelectStatement, FromClause, SelectClauseExpression, SelectStatement},
    markers::{Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, NoWait, SkipLocked, Timeout},
    mode::{Strength, WaitPolicy},
};

/// Adds a locking clause that names the table whose rows it locks; Diesel's own clauses lock every table of a join.
///
/// The methods also exist on boxed queries, and Diesel's do not. The rows are returned in the query's own order, as it was when the server
/// sorted them: a row whose place changed before it was locked is returned with its new values in its old place ([manual][manual]). They
/// are locked in the order in which the server finds them: to lock several rows without risking a deadlock, use a
/// [`LockSet`](crate::LockSet).
///
/// The table is one of the query's, or an alias in it. Another one does not compile, nor does the optional side of an
/// outer join, nor a query whose rows are not rows of a table (`distinct()`, `group_by(..)`, a union). A boxed query hides
/// its clauses from the compiler, so there the last check is made when it is run, before anything is sent.
///
/// Calls can be chained to lock further tables: `.for_update_of(orders::table).for_share_of(customers::table)`. A table that is named
/// twice is locked once, at the stronger of its strengths. MariaDB takes one clause, which cannot name tables: there the rows of all
/// tables of the query are locked, at the strongest of the strengths.
///
/// `.skip_locked()` applies to all clauses before it, not to one that follows. MariaDB skips if all clauses do, and waits otherwise.
/// `.no_wait()` and `.timeout(..)` can follow a single clause only.
///
/// # Raw SQL
///
/// The locking clause is written behind the query. Raw SQL that would disable it or change its meaning is refused with
/// [`LockError::Unsupported`](crate::LockError::Unsupported) before anything is sent, here as in a [`LockSet`](crate::LockSet), a
/// [pick or a claim](crate::PickDsl), in every place: in conditions, joins, orders, select lists, in the `select_expression` of a
/// model, in the changes of a claim, and in a function or an operator that is declared with such a name. Raw SQL is refused if it
///
/// - leaves a quote, a comment or a parenthesis open, closes one that it has not opened, or ends in a line comment;
/// - has a `;`, or, outside of a subquery, `UNION`, `INTERSECT`, `EXCEPT`, `LIMIT`, `OFFSET`, `FETCH`, `GROUP BY`, `HAVING`, `INTO` or
///   `PROCEDURE`;
/// - has a locking clause, also inside of a subquery, which would lock further rows, of another table and in any order;
/// - has a comment that MySQL or MariaDB run, `/*! .. */` or `/*M! .. */`;
/// - has a backslash in front of a quote, as in `'it\'s'` and, on PostgreSQL, `ESCAPE '\'`: the end of the text then depends on a setting
///   of the server (`standard_conforming_strings`, `NO_BACKSLASH_ESCAPES`, `ANSI_QUOTES`). That of `E'it\'s'` on PostgreSQL does not.
///
/// Comments that are closed are allowed. The pieces of one clause are read together: a parenthesis that one piece opens and another one
/// closes is not noticed.
///
/// # Statements
///
/// Run the query with [`load`](crate::RunLockQuery::load), which needs an open transaction.
///
/// | call | PostgreSQL | MySQL | MariaDB |
/// | --- | --- | --- | --- |
/// | `for_update_of(t)` | `.. FOR UPDATE OF "t"` | `.. FOR UPDATE OF t` | `.. FOR UPDATE` |
/// | `for_no_key_update_of(t)` | `.. FOR NO KEY UPDATE OF "t"` | | |
/// | `for_share_of(t)` | `.. FOR SHARE OF "t"` | `.. FOR SHARE OF t` | `.. LOCK IN SHARE MODE` |
/// | `for_key_share_of(t)` | `.. FOR KEY SHARE OF "t"` | | |
/// | `for_update_of(t).for_share_of(u)` | `.. FOR UPDATE OF "t" FOR SHARE OF "u"` | `.. FOR UPDATE OF t FOR SHARE OF u` | `.. FOR UPDATE` |
/// | `.skip_locked()` after any of them | `SKIP LOCKED` behind each clause | the same | the same |
/// | `.no_wait()`, `.timeout(..)` after one of them that names a table | see [`RowLock`] | | |
///
/// The clauses are described in [PostgreSQL's manual][manual]. `OF` takes no schemas there: if the query has another table of the same name
/// in front of the requested one, it is refused with [`LockError::Unsupported`](crate::LockError::Unsupported). If a row
/// changes before it is locked, the result of a subquery in the conditions is as old as the statement. A
/// [`LockSet`](crate::LockSet) and a [pick](crate::PickDsl) recheck such conditions.
///
/// Views, materialized views and foreign tables are refused with [`LockError::NotLockable`](crate::LockError::NotLockable), simple
/// views too: no server reports which rows a clause on a view locks. So are tables without a primary key on MySQL and MariaDB. Temporary
/// tables on MySQL cause an error of the server, since they cannot be named twice in a statement; no other session sees their rows. A
/// part of the statement that changes neither its rows nor its plan makes the server refuse these tables:
///
/// | PostgreSQL | MySQL, MariaDB |
/// | --- | --- |
/// | in front: the CTE `WITH "lockset: a table" AS (SELECT FROM t TABLESAMPLE SYSTEM (0))`, which nothing refers to | behind the tables: `LEFT JOIN (SELECT 1 FROM t FORCE INDEX (PRIMARY) LIMIT 0) AS .. ON FALSE` |
///
/// The engine of a table is not checked here, nor in a pick with a clause of its own: rows of MyISAM are returned, and nothing is
/// locked.
///
/// Under row-level security PostgreSQL shows to the clause only the rows that the policies for `UPDATE` show: the others are not among
/// the query's rows. After `no_wait` the error names them instead, as not lockable.
///
/// On MySQL and MariaDB a locking query locks every row that it reads, whether it matches or not. MariaDB cannot name a
/// table in the clause, and locks the rows of all tables of a join. To lock only the rows that match, use a [`LockSet`](crate::LockSet) or a
/// [pick](crate::PickDsl), which lock by primary key. A full-text search (`MATCH .. AGAINST`) finds rows that other transactions have
/// [committed][fulltext], and nothing that this transaction has written.
///
/// [fulltext]: https://dev.mysql.com/doc/refman/9.7/en/innodb-fulltext-index.html
/// [manual]: https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE
///
/// # Example: the orders of one customer, but not the customer
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let open: Vec<Order> = orders::table
///     .inner_join(customers::table)
///     .filter(customers::name.eq("Ada"))
///     .select(Order::as_select())
///     .into_boxed()
///     .for_update_of(orders::table)
///     .load(conn)?;
/// # assert_eq!(open.len(), 2);
/// # Ok(()) }) }
/// ```
pub trait LockQueryDsl: AsQuery + Sized {
    /// Locks the rows of `table` `FOR UPDATE`: to change or delete them.
    fn for_update_of<S>(self, table: S) -> RowLock<Self::Query, S, ForUpdate>
    where
        Self::Query: LockableSelect,
        S: TableIn<<Self::Query as LockableSelect>::From>,
    {
        RowLock::new(self, table)
    }

    /// Locks the rows of `table` `FOR NO KEY UPDATE`: to change anything but their key. Rows that reference them can still be inserted.
    fn for_no_key_update_of<S>(self, table: S) -> RowLock<Self::Query, S, ForNoKeyUpdate>
    where
        Self::Query: LockableSelect,
        S: TableIn<<Self::Query as LockableSelect>::From>,
    {
        RowLock::new(self, table)
    }

    /// Locks the rows of `table` `FOR SHARE`: no session changes them, and others may lock them `FOR SHARE` too.
    fn for_share_of<S>(self, table: S) -> RowLock<Self::Query, S, ForShare>
    where
        Self::Query: LockableSelect,
        S: TableIn<<Self::Query as LockableSelect>::From>,
    {
        RowLock::new(self, table)
    }

    /// Locks the rows of `table` `FOR KEY SHARE`: they keep their key and are not deleted, and others may change their other columns.
    fn for_key_share_of<S>(self, table: S) -> RowLock<Self::Query, S, ForKeyShare>
    where
        Self::Query: LockableSelect,
        S: TableIn<<Self::Query as LockableSelect>::From>,
    {
        RowLock::new(self, table)
    }
}

impl<Q: AsQuery> LockQueryDsl for Q {}

/// A table, or an alias of one, whose rows a query over `F` can lock. [`LockQueryDsl`] has an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table of this query whose rows can be locked",
    label = "not in the query, or on the optional side of an outer join",
    note = "name a table of the query; a table that the query has under an alias goes by that alias"
)]
pub trait TableIn<F>: QuerySource {}

#[diagnostic::do_not_recommend]
impl<S, F> TableIn<F> for S where S: QuerySource<DefaultSelection: SelectableExpression<F>> {}

/// A query whose rows can be locked one by one: a table or a `SELECT` over tables, boxed or not, without `DISTINCT`,
/// `GROUP BY` or `HAVING`. [`LockQueryDsl`] has an example.
#[diagnostic::on_unimplemented(
    message = "the rows of this query cannot be locked",
    label = "its rows are not rows of a table",
    note = "`DISTINCT`, `GROUP BY`, `HAVING`, unions and aggregates fold rows together: leave them out, or lock by key what \
            such a query chose: `LockSet::new().query::<T>(query)`",
    note = "nothing can follow `no_wait()` and `timeout(..)`: they are about the query as a whole"
)]
pub trait LockableSelect: Query {
    /// The tables of the query.
    type From: QuerySource;
}

#[diagnostic::do_not_recommend]
impl<F, S, D, W, O, LOf> LockableSelect for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    F: QuerySource,
    S: SelectClauseExpression<FromClause<F>, Selection: ValidGrouping<(), IsAggregate: RowByRow>>,
    Self: Query + LockingDsl<ForUpdate>,
{
    type From = F;
}

impl<ST, F, DB> LockableSelect for BoxedSelectStatement<'_, ST, FromClause<F>, DB, ()>
where
    F: QuerySource,
    DB: Backend,
{
    type From = F;
}

// Not for `NoWait` and `Timeout`: they apply to running the whole query, and a further clause would drop them.
impl<Q: LockableSelect, S, L> LockableSelect for RowLock<Q, S, L, Blocking> {
    type From = Q::From;
}

impl<Q: LockableSelect, S, L> LockableSelect for RowLock<Q, S, L, SkipLocked> {
    type From = Q::From;
}

/// A select list without aggregates, which has a row for each row of the tables.
#[doc(hidden)]
pub trait RowByRow {}

impl RowByRow for is_aggregate::No {}
impl RowByRow for is_aggregate::Never {}

/// A query with a locking clause, built by [`LockQueryDsl`].
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let poor = accounts::table.filter(accounts::balance.lt(80));
/// let free: Vec<Account> =
///     poor.for_update_of(accounts::table).skip_locked().load(conn)?;
/// let all: Vec<Account> = poor // or `Contended`, with the busy rows
///     .for_update_of(accounts::table)
///     .no_wait()
///     .load(conn)?;
/// # assert_eq!(free, all);
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a query locks nothing until it is loaded"]
pub struct RowLock<Q, S, L, W = Blocking> {
    pub(crate) query: Q,
    pub(crate) table: S,
    pub(crate) wait_policy: WaitPolicy,
    policy: PhantomData<(L, W)>,
}

impl<Q, S, L> RowLock<Q, S, L> {
    fn new<A: AsQuery<Query = Q>>(query: A, table: S) -> Self {
        RowLock { query: query.as_query(), table, wait_policy: WaitPolicy::Block, policy: PhantomData }
    }

    /// Leaves out the rows that another session holds, instead of waiting for them: in this clause and all before it.
    pub fn skip_locked(self) -> RowLock<Q, S, L, SkipLocked> {
        self.with_policy(WaitPolicy::SkipLocked)
    }

    /// Fails instead of waiting: if another session holds a row of the query, `load` returns
    /// [`LockError::Contended`](crate::LockError::Contended) with the keys of the busy rows as text, and the transaction
    /// goes on.
    ///
    /// | PostgreSQL |
    /// | --- |
    /// | a statement that locks with `SKIP LOCKED` and returns the keys that it had to skip, then the query with `SKIP LOCKED` |
    ///
    /// A query with an `OFFSET` is refused, with [`LockError::Unsupported`](crate::LockError::Unsupported): rows that are skipped would not
    /// be counted.
    pub fn no_wait(self) -> RowLock<Q, S, L, NoWait> {
        self.with_policy(WaitPolicy::NoWait)
    }

    /// Waits at most this long in total; then `load` returns [`LockError::TimedOut`](crate::LockError::TimedOut). The transaction is
    /// aborted then on PostgreSQL, and goes on on MySQL and MariaDB. Zero means [`no_wait`](Self::no_wait), `None` no limit. The time is counted as
    /// described at [`LockSet::timeout`](crate::LockSet::timeout).
    ///
    /// | PostgreSQL |
    /// | --- |
    /// | the query between two statements that set and restore `statement_timeout` |
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> RowLock<Q, S, L, Timeout> {
        self.with_policy(WaitPolicy::timeout(timeout))
    }

    /// Waits as the policy says, which is known at run time only.
    pub fn wait(self, policy: WaitPolicy) -> RowLock<Q, S, L, WaitPolicy> {
        self.with_policy(policy.normalized())
    }

    fn with_policy<W>(self, wait_policy: WaitPolicy) -> RowLock<Q, S, L, W> {
        RowLock { query: self.query, table: self.table, wait_policy, policy: PhantomData }
    }
}

/// As Diesel's own queries, for [`RunLockQuery::first`](crate::RunLockQuery::first): the limit goes into the query below the clause.
impl<Q: LimitDsl, S, L, W> LimitDsl for RowLock<Q, S, L, W> {
    type Output = RowLock<Limit<Q>, S, L, W>;

    fn limit(self, limit: i64) -> Self::Output {
        let RowLock { query, table, wait_policy, policy } = self;
        RowLock { query: query.limit(limit), table, wait_policy, policy }
    }
}

/// A locked query that waits, whose wait policy can be chosen. For the types of [`dsl`](crate::dsl).
#[doc(hidden)]
pub trait Waiting {
    type As<W>;
}

impl<Q, S, L> Waiting for RowLock<Q, S, L> {
    type As<W> = RowLock<Q, S, L, W>;
}

impl<Q: Query, S, L, W> Query for RowLock<Q, S, L, W> {
    type SqlType = Q::SqlType;
}

// It has no `QueryId`, so that `RunQueryDsl` of `diesel-async`, which is implemented for every type, does not run it: neither the
// transaction nor `no_wait` and `timeout` would be looked at.

/// The strength of a locking clause, as a marker type. It is implemented for the backends that have it.
pub(crate) trait LockStrength<DB> {
    const STRENGTH: Strength;
}

/// A strength that keeps all other sessions from changing the row.
pub(crate) trait ExclusiveStrength {}

impl ExclusiveStrength for ForUpdate {}
impl ExclusiveStrength for ForNoKeyUpdate {}
