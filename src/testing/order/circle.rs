//! The findings: circles, and statements that break a rule.

use std::fmt;

/// A lock that was taken while another one was held, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenWhileHeld {
    /// The lock that was held: the table, with the key if it is known.
    pub held: String,
    /// The statement that had taken it.
    pub held_by: String,
    /// The lock that was taken then.
    pub taken: String,
    /// The statement that took it.
    pub taken_by: String,
    /// The place in the code of the second statement, as file and line. `None` if the program has no debug information.
    pub place: Option<String>,
    /// The tables of both locks.
    pub(crate) tables: [String; 2],
}

impl fmt::Display for TakenWhileHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} was held:  {}", self.held, self.held_by)?;
        write!(f, "  {} was taken: {}", self.taken, self.taken_by)?;
        self.place.iter().try_for_each(|place| write!(f, "\n    at {place}"))
    }
}

/// Locks that were taken in orders that can deadlock: each step was taken while the one before was held, and the last leads back to the
/// first. [`Report::verdict`](crate::testing::Report::verdict) tells whether two transactions really deadlock in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockCircle {
    /// The steps. Two of one table if its rows were locked in ascending order of their keys here and in descending order there.
    pub steps: Vec<TakenWhileHeld>,
}

impl fmt::Display for LockCircle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "possible deadlock: transactions lock in orders that form a circle")?;
        let steps: Vec<_> = self.steps.iter().map(ToString::to_string).collect();
        f.write_str(&steps.join("\n and elsewhere\n"))
    }
}

/// A finding of a [`LockOrder`](super::LockOrder).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderFinding {
    /// Transactions lock in orders that form a circle.
    Circle(LockCircle),
    /// A statement broke a rule of [`require`](super::LockOrder::require).
    #[non_exhaustive]
    NotUnder {
        /// The table whose rows were locked.
        child: String,
        /// The table whose rows should have been locked before.
        parent: String,
        /// The statement.
        statement: String,
        /// The place in the code of the statement.
        place: Option<String>,
    },
}

impl fmt::Display for OrderFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrderFinding::Circle(circle) => circle.fmt(f),
            OrderFinding::NotUnder { child, parent, statement, place } => {
                write!(f, "rows of {child} are locked, and none of {parent} before:\n  {statement}")?;
                place.iter().try_for_each(|place| write!(f, "\n    at {place}"))
            }
        }
    }
}
