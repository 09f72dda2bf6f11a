//! The lock set: a builder that collects rows and advisory locks in any form and order, and the rows that locking it returns.

mod advisory_part;
mod locked;
#[cfg(test)]
mod order_model;
mod outline;
mod tables;
mod unchanged;
mod wait_policy;

use std::{any::TypeId, fmt, marker::PhantomData};

pub(crate) use self::advisory_part::AdvisoryPart;
pub use self::locked::Locked;
use self::{outline::Outline, tables::SetByTable, unchanged::Unchanged};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode},
    backend::{LockingBackend, SupportsAdvisory, SupportsStrength},
    key::IntoKey,
    lockable::Lockable,
    markers::{Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, Transactional},
    mode::{Strength, WaitPolicy},
    sql::{LockTarget, RowQuery},
};

/// Rows of any number of tables, to be locked together and in one order.
///
/// Add instances, keys and queries in any order, then call [`lock`](crate::RunLockSet::lock) inside a transaction. The set
/// locks table by table in the order of their names, and the rows of each table in the order of its primary key, whatever
/// order they were added in: transactions that hold nothing but the rows of one lock set never deadlock with each other. All
/// parts of one table are merged, also across several models of it, so a row is locked once. On PostgreSQL a table costs one statement.
///
/// The locks belong to the transaction and end with it. `lock` returns the rows as they are now, under the lock. The
/// instances that were added are used for their keys only, and stay as stale as they were.
///
/// # Order
///
/// Tables are ordered by their quoted name, byte by byte, as Diesel writes it: `"accounts"` before `"orders"`, a schema
/// before the name. So one table must have one name and one key, in all models of a program. A set checks this for its own models, and
/// refuses these with [`LockError::Unsupported`](crate::LockError::Unsupported):
///
/// - models of one table whose `table!`s have different primary keys, be it only in the order of the columns, before anything is sent;
/// - a table that is written with its schema (on MySQL and MariaDB, its database) in one model and without it, or with another case of
///   letters, in another model, if the server reports that both are one table. The server is asked only about names that are alike.
///
/// Over two sets the crate cannot detect it: two transactions whose models name one table in two ways can deadlock. The order of rows is
/// the server's `ORDER BY` on the primary key in the order of `table!`.
///
/// A second set in one transaction is allowed, but the order holds only within a set: if the second one goes back, it can
/// deadlock with a transaction that does the opposite. Put rows that belong together into one set.
///
/// In these cases a deadlock is still possible. The error is [`Deadlock`](crate::LockError::Deadlock), and a
/// [`LockTransaction`](crate::LockTransaction) runs the transaction again:
///
/// - a transaction that has already written or locked something; a check of a foreign key is a lock, too;
/// - other sessions that write to the rows without a set;
/// - on PostgreSQL, while another session updates the *key* of a row that is wanted: the server follows the row to its new key
///   inside the statement, so that it is locked in the place of its old one;
/// - on MariaDB, `SKIP LOCKED`, and partitioned tables.
///
/// # Strength
///
/// Rows are locked `FOR UPDATE` unless a call of another strength came before they were added. If rows of one table were
/// added at several strengths, all of them are locked at the strongest: two transactions that lock a row weakly first and strongly
/// later deadlock over that row.
///
/// On PostgreSQL prefer [`for_no_key_update`](Self::for_no_key_update) for rows that others reference by foreign key and
/// whose own key you do not change: `FOR UPDATE` makes every insert of a referencing row wait.
///
/// # Statements
///
/// | requested of a table | PostgreSQL |
/// | --- | --- |
/// | keys | `SELECT .. FROM t WHERE id = ANY($1) ORDER BY id FOR UPDATE OF t`; one key `WHERE id = $1` |
/// | several keys that are neither integers nor UUIDs | `SELECT .. FROM t INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT unnest($1)))) AS among (k0) ON id = k0 ORDER BY id FOR UPDATE OF t` |
/// | one query over the table alone, without a limit | `SELECT .. FROM t WHERE .. ORDER BY id FOR UPDATE OF t` |
/// | keys and queries, several queries, a joined or limited one | `WITH wanted AS MATERIALIZED (..) SELECT .. FROM t INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT unnest($1) UNION ALL SELECT k0 FROM wanted))) AS among (k0) ON id = k0 ORDER BY id FOR UPDATE OF t` |
///
/// Joins, and conditions with a subquery, raw SQL or a function of your own, cost one more statement, see [`query`](Self::query).
///
/// | requested of a table | MySQL, MariaDB |
/// | --- | --- |
/// | keys | ``SELECT .. FROM t FORCE INDEX (PRIMARY) WHERE id IN (?, ..) ORDER BY id LIMIT 18446744073709551615 FOR UPDATE``, for each 512 keys; the limit overrides `sql_select_limit` |
/// | a query | the query, without a lock; then the rows by key, with `EXISTS (SELECT 1 FROM DUAL WHERE ..)`: do they still match? |
/// | one whose conditions are not all about the row: a join, a subquery, a stored function, raw SQL | the same without the `EXISTS`, and then, without a lock, `WITH held AS (SELECT id FROM t ..) SELECT .. FROM t INNER JOIN .. INNER JOIN held ON ..` |
/// | one with `MATCH .. AGAINST` | the same, and then `WITH held AS (SELECT id FROM t ..) SELECT .. FROM held STRAIGHT_JOIN t ON id = (k0) WHERE .. OR RAND() < 0 FOR UPDATE` in place of the `EXISTS` |
/// | a limited one | the rows by key, and then the query again |
/// | a key that is no integer and did not come back | the keys, ranked by the server: is "ada" the locked "Ada"? |
///
/// A key that did not come back is looked up once more after the last wait: the row may have been replaced by one with the same
/// key while the set waited. If it exists, it is locked. If another session holds it, the call fails with
/// [`LockError::LimitedRowsChanged`](crate::LockError::LimitedRowsChanged). So a key is missing only if a statement that began after
/// all waits did not find it.
///
/// On PostgreSQL a table and one that inherits from it (`INHERITS`) can have two rows of one key. A set with two such rows is
/// [`LockError::Unsupported`](crate::LockError::Unsupported). So is a set with a table and one of its partitions, or one that inherits
/// from it, before anything is locked. The server is asked about that only if the name of one of the tables begins with that of the
/// other, as `jobs_2024` does with `jobs`. With other names it goes unnoticed: the rows are locked in two passes, which can deadlock.
///
/// The keys are one array parameter per key column on PostgreSQL, so their number has no limit. Nor has that of the queries, as long as
/// the conditions of those over one table have no more than 65,535 values ([`LockError::Unsupported`](crate::LockError::Unsupported),
/// before anything is sent). The time that both take grows no faster than the number of rows.
///
/// Keys other than integers and UUIDs are sent without a type, and PostgreSQL gives them the type of the column: a `char(5)`, a
/// `citext` or an enum that `table!` declares as `Text` is found by its value, and by its index. A key that the column cannot
/// hold (a word that is no label of the enum) is an error of the server then, which aborts the transaction, and not a missing row.
///
/// # Subqueries in a model
///
/// A value that a model computes by a subquery or a function that reads tables (`select_expression`) is as old as the statement that
/// locks the row. PostgreSQL evaluates columns anew for a row that changed while the statement waited for it, but not the data of other
/// tables, and it does not report a wait for a row that did not change. The row's own columns are fresh. To count the children of a
/// row, send a query when the set is locked.
///
/// # What cannot be locked
///
/// Rows of views, materialized views, foreign tables and sequences are refused with
/// [`LockError::NotLockable`](crate::LockError::NotLockable) before a row is touched; simple views that can be updated too. On
/// PostgreSQL each locking statement begins with the CTE `WITH "lockset: a table" AS (SELECT FROM t TABLESAMPLE SYSTEM (0))`. The server
/// refuses it for anything but a table, and never runs it. On MySQL and MariaDB each names the index `PRIMARY`; a query that chooses no
/// row of a view locks nothing without an error.
///
/// On MySQL and MariaDB the key of `table!` must be the whole `PRIMARY KEY` of the table, in the same order, and its engine must have
/// transactions, as InnoDB has. A table that has no primary key, another one, or another engine is refused in the same way. The server
/// is asked once for each table in each session, at the cost of three statements, and the session remembers the answer
/// (`@diesel_lockset_..`): a later change of the primary key or the engine goes unnoticed while the session lives.
///
/// Under [row-level security][policies] PostgreSQL locks, at every strength, only rows that the policies for `SELECT` and for `UPDATE`
/// both show. A row that the policies keep from being locked is [`NotLockable`](crate::LockError::NotLockable), with their names, and not
/// reported as missing or held, if it was requested by key, or chosen by a query with a limit or in a set that does not wait. A query
/// without a limit in a set that waits chooses among the rows that can be locked.
///
/// [policies]: https://www.postgresql.org/docs/current/sql-createpolicy.html
///
/// # Limits on MySQL and MariaDB
///
/// - MariaDB locks rows of a partitioned table partition by partition (tried on 11.8; MySQL 9.7 keeps to the order of the keys):
///   two sets over several partitions can deadlock there.
/// - Keys that are all integers have no limit in number. Of other keys, no more than 65,535 values fit into a set.
/// - A set under REPEATABLE READ that does not wait looks up the rows that it could not lock in the snapshot if MariaDB has
///   `innodb_rollback_on_timeout`, or if READ COMMITTED is its session's level: a deleted row counts as held, a new one as missing.
/// - Above READ COMMITTED, a row that was deleted and that another session has requested since counts as held: its record is locked.
/// - A full-text search finds what others have [committed][fulltext], and nothing that this transaction has written.
/// - Rows whose key has a column that is an `ENUM` or a `SET`, or that is indexed in descending order, are locked in the order of the
///   index up to 512 of them. Beyond that, the chunks are in another order: two such sets can deadlock.
/// - A query over a join does not find columns of its own table that are `INVISIBLE`.
///
/// [fulltext]: https://dev.mysql.com/doc/refman/9.7/en/innodb-fulltext-index.html
///
/// # Clusters
///
/// A row lock is valid on one server. Its meaning where several servers take writes is described in
/// [`clusters`](crate::_documentation::clusters).
///
/// # Keys that are equal to the server only
///
/// A collation may treat "ada" and "Ada" as equal, and a time in Rust is finer than one in a column. A row is found by any equal key,
/// and can be looked up by the one that it was requested with. On PostgreSQL a row that is requested twice, once by its exact key and
/// once by another equal one, is reported missing under the other.
///
/// # Example: instances, keys and a query in one set
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// # let ada: Account = accounts::table.find(1).first(conn)?;
/// let hers = orders::table.inner_join(customers::table);
/// let locked = LockSet::new()
///     .row(&ada)
///     .ids::<Account>([3, 2])
///     .query::<Order>(hers.filter(customers::name.eq("Ada")))
///     .lock(conn)?;
///
/// let ada: &Account = locked.row(&ada)?; // fresh
/// let orders: &[Order] = locked.rows(); // in the order of their key
/// # assert_eq!((ada.balance, orders.len()), (100, 2));
/// # assert_eq!(locked.rows::<Account>().len(), 3);
/// # Ok(()) }) }
/// ```
///
/// # Example: a row that is gone
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let error = LockSet::new().ids::<Account>([1, 77]).lock(conn).unwrap_err();
/// assert!(error.to_string().starts_with("Account 77 does not exist"));
///
/// let locked = LockSet::new().ids::<Account>([1, 77]).allow_missing().lock(conn)?;
/// assert_eq!(locked.missing()[0].key().get(), Some(&77));
/// # Ok(()) }) }
/// ```
#[must_use = "a lock set locks nothing until `lock` is called on it"]
pub struct LockSet<'a, DB: LockingBackend, W = Blocking> {
    parts: Vec<(TypeId, SetByTable<'a, DB>)>,
    advisory: Vec<AdvisoryPart<DB>>,
    strength: Strength,
    wait_policy: WaitPolicy,
    allow_missing: bool,
    name_holders: bool,
    unchanged: Unchanged,
    policy: PhantomData<fn() -> W>,
}

impl<'a, DB: LockingBackend> LockSet<'a, DB> {
    /// Returns an empty set. Locking it sends no statement.
    pub fn new() -> Self {
        LockSet {
            parts: Vec::new(),
            advisory: Vec::new(),
            strength: Strength::Update,
            wait_policy: WaitPolicy::Block,
            allow_missing: false,
            name_holders: false,
            unchanged: Unchanged::default(),
            policy: PhantomData,
        }
    }
}

impl<'a, DB: LockingBackend, W> LockSet<'a, DB, W> {
    /// Makes the error of a failed call name the sessions that hold its rows: session, application, activity and since when. See
    /// [`Holder`](crate::error::Holder).
    ///
    /// This is best effort and costs neither the transaction nor much time. A session that cannot be determined, for lack of
    /// [rights](crate::error::Holder) or because the table itself is locked, is not named, and the error is the same. The question takes at most a
    /// quarter of a second more than the call's timeout leaves; without a timeout, at most a second.
    ///
    /// Not every server tells [for certain](crate::error::Holder::is_certain) who holds a row: on PostgreSQL not of one that was locked under
    /// this very option and a timeout, in a savepoint that is released. Costs a statement when the call fails: on PostgreSQL in a savepoint and under a `statement_timeout` of its own, which are undone; on
    /// MySQL and MariaDB up to three, until a session is named. Unless the set does not wait, it also costs a
    /// savepoint around the call, because the server answers no questions in an aborted transaction. The savepoint also keeps the
    /// transaction usable after [`TimedOut`](crate::LockError::TimedOut), [`Deadlock`](crate::LockError::Deadlock) and
    /// [`Serialization`](crate::LockError::Serialization), as [`Attempt::rolled_back`](crate::error::Attempt::rolled_back) reports.
    pub fn name_holders(mut self) -> Self {
        self.name_holders = true;
        self
    }

    /// Adds the row of an instance. Only its key is taken; adding a row twice locks it once.
    pub fn row<T: LockTarget<DB>>(self, row: &T) -> Self {
        self.id::<T>(row.lock_key())
    }

    /// Adds the rows of any number of instances: a reference to a `Vec` or slice, or any iterator of references.
    pub fn rows<'r, T: LockTarget<DB>>(self, rows: impl IntoIterator<Item = &'r T>) -> Self {
        self.ids::<T>(rows.into_iter().map(Lockable::lock_key))
    }

    /// Adds a row by its primary key: `.id::<Account>(3)`; for a composite key, a tuple.
    pub fn id<T: LockTarget<DB>>(self, id: impl IntoKey<T::Key>) -> Self {
        self.ids::<T>([id])
    }

    /// Adds rows by their primary keys, or references to them: `.ids::<Account>([3, 17])`.
    pub fn ids<T: LockTarget<DB>>(mut self, ids: impl IntoIterator<Item = impl IntoKey<T::Key>>) -> Self {
        let mut ids = ids.into_iter().peekable();
        // A model without keys must not cost a statement.
        if ids.peek().is_some() {
            T::ask(&mut *self.gathered::<T>().model, ids.map(IntoKey::into_key));
        }
        self
    }

    /// Adds the rows that a query chooses: `.query::<Order>(orders::table.filter(..))`.
    ///
    /// The query may be boxed, joined, ordered, limited, distinct. Its select list does not matter. Only rows of the table
    /// of `T` are locked, never those of a joined table, and each once, even if a join repeats it. The query's order
    /// decides which rows a limit takes. The rows are locked and returned in the order of the key all the same.
    ///
    /// A row is returned for the query only if it still matches when it is locked. If a row leaves a limited query while the set waits for
    /// it, the next one takes its place if it is free. If that one is held, the call fails with
    /// [`LockError::LimitedRowsChanged`](crate::LockError::LimitedRowsChanged), which [`LockTransaction`](crate::LockTransaction) retries:
    /// after the one pass in order the set does not wait any more.
    ///
    /// Conditions on more than the row's own columns (a join, a subquery, a function that is not one of the server's common ones, an
    /// operator of your own, raw SQL) are evaluated once more when the rows are locked, by a separate statement, at READ COMMITTED. At the
    /// levels above it no statement could do that, and such a query is refused before a row is touched: see
    /// [`Isolation`](crate::Isolation#what-a-lock-set-a-pick-or-a-claim-answers). The rows of joined tables are not locked, so their data
    /// may change from then on. To rely on it, add them to the set.
    ///
    /// Functions are recognized by name and operators by sign or word, from the text alone. So these count as the server's own: one of
    /// yours that has the name of a common one (`lower`; `=` or `LIKE` for a type of your own), an implicit cast, and a function of the row
    /// that `table!` lists as a column.
    ///
    /// [Raw SQL](crate::LockQueryDsl#raw-sql) that would disable the clauses that a set writes behind it is refused when the set is locked,
    /// with [`LockError::Unsupported`](crate::LockError::Unsupported), before anything is sent.
    ///
    /// A query that matches nothing adds nothing. Rows that begin to match after it was run are not locked; on PostgreSQL, nor is a row
    /// that was deleted and inserted again while the set waited for it.
    pub fn query<T: LockTarget<DB>>(mut self, query: impl RowQuery<'a, T, DB>) -> Self {
        self.gathered::<T>().queries.push(query.into_select());
        self
    }

    /// Adds an advisory lock, which is held until the transaction ends. Use it to lock something that does not exist yet.
    ///
    /// Advisory locks are taken before all rows, in the order of their keys, one statement each; a name added twice is taken
    /// once. The wait policy of the set applies to rows and names together; the lock's own timeout is ignored. A set
    /// with `skip_locked` does not skip a name: if another session holds it, the call fails with
    /// [`LockError::Contended`](crate::LockError::Contended).
    ///
    /// # Example: a booking that no other session makes at the same time
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let slot = AdvisoryLock::named("room 4, 2026-03-01");
    /// LockSet::new().advisory(slot).id::<Account>(1).lock(conn)?;
    /// // now look whether the slot is free, and insert
    /// # Ok(()) }) }
    /// ```
    pub fn advisory<M: AdvisoryMode>(mut self, lock: AdvisoryLock<M>) -> Self
    where
        DB: SupportsAdvisory<Transactional>,
    {
        self.advisory.push(AdvisoryPart::new(&lock));
        self
    }

    /// Locks the rows that are added from here on `FOR UPDATE`: to change or delete them. The default.
    pub fn for_update(self) -> Self {
        self.with(Strength::Update)
    }

    /// Locks the rows that are added from here on `FOR NO KEY UPDATE`: to change anything but their key.
    ///
    /// Others can still insert rows that reference them. PostgreSQL only; on MySQL and MariaDB it does not compile.
    pub fn for_no_key_update(self) -> Self
    where
        DB: SupportsStrength<ForNoKeyUpdate>,
    {
        self.with(Strength::NoKeyUpdate)
    }

    /// Locks the rows that are added from here on `FOR SHARE`: no session changes them, and others may lock them `FOR SHARE` too.
    ///
    /// Do not change such a row in the same transaction: two sessions that both do so deadlock.
    pub fn for_share(self) -> Self
    where
        DB: SupportsStrength<ForShare>,
    {
        self.with(Strength::Share)
    }

    /// Locks the rows that are added from here on `FOR KEY SHARE`: they keep their key and are not deleted. A foreign key check takes
    /// this lock.
    ///
    /// PostgreSQL only; on MySQL and MariaDB it does not compile.
    pub fn for_key_share(self) -> Self
    where
        DB: SupportsStrength<ForKeyShare>,
    {
        self.with(Strength::KeyShare)
    }

    /// Accepts rows that do not exist: [`Locked::missing`] names them, and there is no error.
    ///
    /// A missing row can be inserted by another session meanwhile. On MySQL and MariaDB, InnoDB locks the
    /// [gap][gaps] where the row would be, under REPEATABLE READ: others cannot insert there, and two transactions that both requested
    /// it and both insert it deadlock.
    ///
    /// [gaps]: https://dev.mysql.com/doc/refman/9.7/en/innodb-locking.html#innodb-gap-locks
    pub fn allow_missing(mut self) -> Self {
        self.allow_missing = true;
        self
    }

    /// Returns whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.advisory.is_empty()
    }

    fn with(mut self, strength: Strength) -> Self {
        self.strength = strength;
        self
    }
}

impl<DB: LockingBackend> Default for LockSet<'_, DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: LockingBackend, W> fmt::Debug for LockSet<'_, DB, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for Outline { model, keys, queries, strength, .. } in self.outline() {
            map.entry(&model, &format!("{keys} keys, {queries} queries, {strength:?}"));
        }
        for part in &self.advisory {
            map.entry(&"advisory lock", &part.name.text());
        }
        map.finish()
    }
}
