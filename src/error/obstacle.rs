//! The obstacles because of which a session cannot lock rows at all.

use std::fmt;

use super::{LockError, RowName, listed::Listed};

/// The reason of a [`NotLockable`](LockError::NotLockable): rows cannot be locked even if no other session holds them.
///
/// It is derived from the server's report about the table, never from the absence of a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockObstacle {
    /// PostgreSQL: the model's table is a view, a materialized view, a foreign table or a sequence.
    ///
    /// `FOR UPDATE` on a view locks the rows that the view's query happens to read, or nothing, and reports neither
    /// ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)). So all views are refused, also
    /// simple ones.
    NotATable,
    /// MySQL and MariaDB: there is no primary key to lock rows by. It is a view, or a table without a primary key.
    NoPrimaryKey,
    /// MySQL and MariaDB: the primary key differs from that of `table!`. The field has the columns of the real one.
    ///
    /// The columns of `table!` may be a unique key, a part of the primary key, or in another order. To lock by them, the server would
    /// read and lock the whole table.
    OtherPrimaryKey(String),
    /// MySQL and MariaDB: the engine of the table has no transactions, and no row locks. The field has its name.
    Engine(String),
    /// PostgreSQL: [row-level security][manual] shows the rows to this role and does not let it lock them. A locking clause of any
    /// strength is subject to the policies for `UPDATE` besides those for `SELECT`.
    ///
    /// [manual]: https://www.postgresql.org/docs/current/sql-createpolicy.html
    RowSecurity {
        /// The names of the policies for `UPDATE` that apply to the role, if there are any and the role may read them.
        policies: Option<String>,
    },
    /// PostgreSQL: the role lacks a privilege. To lock rows of a table, it needs `SELECT` and, on at least one column, `UPDATE`
    /// ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    Privilege,
}

impl LockObstacle {
    /// True if the server's refusal undoes its statement and nothing else.
    pub(super) fn is_of_the_statement(&self) -> bool {
        matches!(self, LockObstacle::NoPrimaryKey)
    }
}

impl fmt::Display for LockObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockObstacle::NotATable => f.write_str(
                "it is no table but a view, a materialized view, a foreign table or a sequence; lock the rows of the tables \
                 that are behind it",
            ),
            LockObstacle::NoPrimaryKey => f.write_str(
                "it has no primary key, so it is a view, or a table without one; lock the rows of the tables that are behind \
                 the view, or give the table a primary key",
            ),
            LockObstacle::OtherPrimaryKey(columns) => write!(
                f,
                "its primary key is ({columns}), and `table!` says otherwise; give `table!` that key, column by column"
            ),
            LockObstacle::Engine(engine) => {
                write!(f, "the engine {engine} has no row locks; make it a table of InnoDB")
            }
            LockObstacle::RowSecurity { policies } => {
                f.write_str("row-level security shows them to this role and does not let it lock them (")?;
                match policies {
                    Some(policies) => write!(f, "policies for UPDATE: {policies}")?,
                    None => f.write_str("no policy for UPDATE is known")?,
                }
                f.write_str("); widen the policy for UPDATE, or read the rows without a lock")
            }
            LockObstacle::Privilege => f.write_str(
                "the role lacks a privilege; grant it SELECT and, on at least one column, UPDATE, which a locking clause of any \
                 strength wants",
            ),
        }
    }
}

/// Displays the rows that cannot be locked: the listed ones, or else "rows of" the table.
pub(super) struct Subject<'a>(pub(super) &'a str, pub(super) &'a [RowName]);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Subject(table, []) => write!(f, "rows of {table}"),
            Subject(_, rows) => Listed(rows).fmt(f),
        }
    }
}

impl LockError {
    /// Replaces the table name of the server's message in a [`NotLockable`](LockError::NotLockable) by the tables, quoted and bare, whose
    /// rows the statement was to lock.
    ///
    /// The missing privilege may be one on a joined table, whose rows were not to be locked. That error becomes a
    /// [`Query`](LockError::Query).
    pub(crate) fn of_tables(self, tables: &[(&str, &str)]) -> Self {
        let LockError::NotLockable { table, rows, reason, source: Some(source) } = self else { return self };
        let named: Vec<_> = tables.iter().filter(|(_, bare)| table.is_empty() || table == *bare).collect();
        if named.is_empty() && reason == LockObstacle::Privilege {
            return LockError::Query(*source);
        }
        let named: Vec<_> = named.into_iter().map(|(quoted, _)| *quoted).collect();
        let table = if named.is_empty() { table } else { named.join(" or ") };
        LockError::NotLockable { table, rows, reason, source: Some(source) }
    }
}
