//! The answer to a possible circle of a [`LockOrder`](crate::testing::LockOrder): whether the sessions deadlock in it.

use std::{collections::BTreeSet, fmt};

use super::{
    report::{Coverage, Report},
    schedule::Schedule,
};
use crate::testing::order::LockCircle;

/// The answer of [`Report::verdict`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CircleVerdict {
    /// The sessions deadlock in it: in this order of their statements.
    Confirmed(Schedule),
    /// The sessions do not deadlock in it in any order of their statements.
    Cleared,
    /// The sessions did not deadlock in it in the orders that were run, and those were not all.
    Unknown,
}

impl fmt::Display for CircleVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CircleVerdict::Confirmed(schedule) => write!(f, "the sessions deadlock:\n{schedule}"),
            CircleVerdict::Cleared => f.write_str("the sessions do not deadlock in any order of their statements"),
            CircleVerdict::Unknown => f.write_str("no deadlock in a sample of the orders: raise `max_schedules`"),
        }
    }
}

impl<O> Report<O> {
    /// Tells whether the sessions deadlock in a circle that a [`LockOrder`](crate::testing::LockOrder) reported as possible: whether the
    /// server reported a deadlock of statements that lock rows of its tables, in one of the orders that were run. A deadlock after which a
    /// session tried again counts.
    ///
    /// A circle that is cleared is cleared for these closures and these rows.
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../../doctest_setup.rs");
    /// use diesel::connection::SimpleConnection;
    /// use diesel_lockset::testing::{
    ///     CircleVerdict, Interleave, LockOrder, OrderFinding, TestDatabase,
    /// };
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
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let url = std::env::var("PG_DATABASE_URL")?;
    /// let database = TestDatabase::<PgConnection>::create(&url)?;
    /// database.execute(
    ///     "CREATE TABLE accounts (
    ///          id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL);
    ///      INSERT INTO accounts VALUES (1, 'Ada', 100), (2, 'Bob', 100)",
    /// )?;
    /// let conn = &mut database.connect()?;
    /// let order = LockOrder::new();
    /// order.watch(conn);
    /// transfer(conn, 1, 2)?;
    /// transfer(conn, 2, 1)?;
    /// let OrderFinding::Circle(circle) = &order.findings()[0] else {
    ///     panic!("a rule is broken");
    /// };
    ///
    /// let report = Interleave::<PgConnection>::new(database.url())
    ///     .session("alice", |conn| transfer(conn, 1, 2))
    ///     .session("bob", |conn| transfer(conn, 2, 1))
    ///     .run()?;
    /// let verdict = report.verdict(circle);
    /// assert!(matches!(verdict, CircleVerdict::Confirmed(_)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn verdict(&self, circle: &LockCircle) -> CircleVerdict {
        let tables: BTreeSet<_> = circle.steps.iter().flat_map(|step| step.tables.iter().cloned()).collect();
        let met = self.collected.deadlocks.iter().find(|deadlock| deadlock.is_of(&tables));
        match (met, self.collected.coverage) {
            (Some(deadlock), _) => CircleVerdict::Confirmed(deadlock.schedule().clone()),
            (None, Coverage::Exhaustive) => CircleVerdict::Cleared,
            (None, _) => CircleVerdict::Unknown,
        }
    }
}
