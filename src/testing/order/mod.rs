//! Watches in which order transactions lock tables and rows, and reports a possible circle before it is a deadlock.

mod circle;
mod graph;
mod watch;

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use diesel::{
    QuerySource,
    connection::{Instrumentation, get_default_instrumentation},
    query_builder::QueryFragment,
};

use self::{graph::Graph, watch::Watch};
use crate::{backend::LockingBackend, blocking::LockConnection, sql::TableName};

pub use self::circle::{LockCircle, OrderFinding, TakenWhileHeld};

type Hook = Box<dyn Fn(&OrderFinding) + Send + Sync>;

/// Watches the order in which the transactions of any number of connections lock tables and rows.
///
/// Through Diesel's instrumentation it reads the text of each statement, and learns which table, and which key if the condition is one key,
/// was locked while which other was held in the same transaction. If somewhere `orders` is locked while `customers` is held, and elsewhere
/// the other way round, two such transactions can deadlock: that is a [`LockCircle`], and is reported even if they never met. So is a table
/// whose rows are locked one by one in ascending order of their keys here, and in descending order there.
///
/// A circle is *possible*, not certain: a third lock that both take first can make it impossible. Whether two transactions really deadlock,
/// [`Interleave`](super::Interleave) tells.
///
/// # What it sees
///
/// `UPDATE`, `DELETE`, and `SELECT` with a locking clause, of Diesel's statements and of raw SQL. Keys are known of conditions such as `id
/// = 1`, `id IN (..)` and `id = ANY (..)`. Not seen are locks that the server takes by itself (of foreign keys, triggers, functions), those
/// of an `INSERT`, the order in which one statement locks several rows, advisory locks, and transactions that were not begun by `BEGIN` or
/// `START TRANSACTION`. Views and tables of a subquery count as tables of their own. A statement whose keys are not known counts as one that
/// locks all rows of its table that the transaction locks later.
///
/// # Cost
///
/// It sends no statement. Each statement's text is written and read once more, with its parameters: some microseconds. A backtrace is taken
/// when something new is learned, so only a few times in the life of a process.
///
/// # Example: a transfer that locks in the order of need
///
/// ```
/// # include!("../../doctest_setup.rs");
/// use diesel_lockset::testing::LockOrder;
///
/// fn transfer(conn: &mut PgConnection, from: i32, to: i32) -> QueryResult<()> {
///     conn.transaction(|conn| {
///         for (id, change) in [(from, -10), (to, 10)] {
///             let changed = accounts::balance.eq(accounts::balance + change);
///             let account = accounts::table.find(id);
///             diesel::update(account).set(changed).execute(conn)?;
///         }
///         Ok(())
///     })
/// }
///
/// # fn main() {
/// # let conn = &mut establish();
/// let order = LockOrder::new();
/// order.watch(conn);
/// transfer(conn, 1, 2).unwrap();
/// assert!(order.findings().is_empty());
/// transfer(conn, 2, 1).unwrap(); // one session, no deadlock
/// println!("{}", order.findings()[0]);
/// # assert_eq!(order.findings().len(), 1);
/// # }
/// ```
///
/// # Example: all connections of an application
///
/// ```
/// use std::sync::LazyLock;
///
/// use diesel::{
///     connection::{Instrumentation, set_default_instrumentation},
///     pg::Pg,
/// };
/// use diesel_lockset::testing::LockOrder;
///
/// static ORDER: LazyLock<LockOrder<Pg>> = LazyLock::new(|| {
///     LockOrder::new().on_finding(|finding| eprintln!("{finding}"))
/// });
///
/// let watch = || -> Option<Box<dyn Instrumentation>> {
///     Some(Box::new(ORDER.instrumentation()))
/// };
/// set_default_instrumentation(watch).unwrap();
/// # set_default_instrumentation(|| None).unwrap();
/// ```
pub struct LockOrder<DB: LockingBackend> {
    shared: Arc<Shared>,
    backend: PhantomData<fn() -> DB>,
}

struct Shared {
    graph: Mutex<Graph>,
    hook: Option<Hook>,
    rules: Vec<Rule>,
}

/// Rows of `child` are locked only in a transaction that has locked `parent`.
#[derive(Debug, Clone)]
struct Rule {
    child: String,
    parent: String,
}

impl Shared {
    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: LockingBackend> LockOrder<DB> {
    /// Returns a watch that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared { graph: Mutex::default(), hook: None, rules: Vec::new() };
        LockOrder { shared: Arc::new(shared), backend: PhantomData }
    }

    /// Sets a function that is called once for each new finding, in front of the statement that leads to it.
    ///
    /// # Panics
    ///
    /// If a connection is watched already.
    #[must_use]
    pub fn on_finding(mut self, hook: impl Fn(&OrderFinding) + Send + Sync + 'static) -> Self {
        self.options().hook = Some(Box::new(hook));
        self
    }

    /// Begins a rule about a table: `require(items::table).under(orders::table)` reports each statement that locks rows of `items` in a
    /// transaction that has not locked rows of `orders` before.
    ///
    /// # Panics
    ///
    /// If a connection is watched already, or the name of the table cannot be read.
    pub fn require<T>(self, child: T) -> RequiredOrder<DB>
    where
        T: QuerySource<FromClause: QueryFragment<DB>>,
    {
        RequiredOrder { order: self, child: name(&child) }
    }

    /// Watches a connection from now on. The default instrumentation, if there is one, is called as well; an instrumentation that was set
    /// on the connection is replaced: use [`instrumentation_and`](Self::instrumentation_and) to keep it.
    pub fn watch<C: LockConnection<Backend = DB>>(&self, conn: &mut C) {
        conn.set_instrumentation(Watch::<DB>::new(self.shared.clone(), get_default_instrumentation()));
    }

    /// Returns an instrumentation for connections, such as for
    /// [`set_default_instrumentation`](diesel::connection::set_default_instrumentation).
    pub fn instrumentation(&self) -> impl Instrumentation + use<DB> {
        Watch::<DB>::new(self.shared.clone(), None)
    }

    /// The same, which calls another one as well.
    pub fn instrumentation_and(&self, other: impl Instrumentation) -> impl Instrumentation {
        Watch::<DB>::new(self.shared.clone(), Some(Box::new(other)))
    }

    /// Returns what was found so far, in the order of finding.
    #[must_use]
    pub fn findings(&self) -> Vec<OrderFinding> {
        self.shared.graph().findings.clone()
    }

    /// Passes if nothing was found.
    ///
    /// # Panics
    ///
    /// With all findings, if there are any.
    #[track_caller]
    pub fn assert_ordered(&self) {
        let findings: Vec<_> = self.findings().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }

    fn options(&mut self) -> &mut Shared {
        Arc::get_mut(&mut self.shared).expect("the options of a `LockOrder` are set before a connection is watched")
    }
}

/// A rule that lacks its second table. [`LockOrder::require`] begins one.
#[must_use = "call `under`"]
pub struct RequiredOrder<DB: LockingBackend> {
    order: LockOrder<DB>,
    child: String,
}

impl<DB: LockingBackend> RequiredOrder<DB> {
    /// Completes the rule with the table whose rows are locked first.
    ///
    /// # Panics
    ///
    /// If the name of the table cannot be read.
    #[must_use]
    pub fn under<T>(self, parent: T) -> LockOrder<DB>
    where
        T: QuerySource<FromClause: QueryFragment<DB>>,
    {
        let RequiredOrder { mut order, child } = self;
        order.options().rules.push(Rule { child, parent: name(&parent) });
        order
    }
}

fn name<DB: LockingBackend, T: QuerySource<FromClause: QueryFragment<DB>>>(table: &T) -> String {
    let name = TableName::of::<DB>(&table.from_clause()).expect("a table has a name");
    name.schema().map_or(name.bare().to_owned(), |schema| format!("{schema}.{}", name.bare()))
}

impl<DB: LockingBackend> Default for LockOrder<DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: LockingBackend> Clone for LockOrder<DB> {
    fn clone(&self) -> Self {
        LockOrder { shared: self.shared.clone(), backend: PhantomData }
    }
}

impl<DB: LockingBackend> fmt::Debug for LockOrder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOrder").field("rules", &self.shared.rules).finish_non_exhaustive()
    }
}

impl<DB: LockingBackend> fmt::Debug for RequiredOrder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequiredOrder").field("child", &self.child).finish_non_exhaustive()
    }
}
