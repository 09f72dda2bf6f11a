//! Why rows cannot be locked at all.

use std::fmt;

use super::{LockError, RowName, listed::Listed};

/// Why rows cannot be locked, whoever holds them: the reason of a [`NotLockable`](LockError::NotLockable).
///
/// Decided from what the server says of the table, never from the absence of a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockObstacle {
    /// PostgreSQL: what the model calls its table is a view, a materialized view, a foreign table or a sequence.
    ///
    /// `FOR UPDATE` on a view locks what the view's query happens to read, or nothing, and says neither
    /// ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)). So views are refused, also
    /// simple ones.
    NotATable,
    /// MySQL and MariaDB: there is no primary key by which rows could be locked: it is a view, or a table without one.
    NoPrimaryKey,
    /// MySQL and MariaDB: the primary key is another one than that of `table!`, whose columns may be a unique key, a part of the primary
    /// key, or in another order: to lock by them, the server would read and lock the whole table. Here are its columns.
    OtherPrimaryKey(String),
    /// MySQL and MariaDB: the engine of the table has no transactions, and no row locks.
    Engine(String),
    /// PostgreSQL: [row-level security][manual] shows the rows to this role and does not let it lock them: a locking clause wants
    /// the policies for `UPDATE` besides those for `SELECT`, whatever its strength.
    ///
    /// [manual]: https://www.postgresql.org/docs/current/sql-createpolicy.html
    RowSecurity {
        /// The names of the policies for `UPDATE` that apply to the role, if there are any and the role may read them.
        policies: Option<String>,
    },
    /// The role lacks a privilege: to lock rows of a table, PostgreSQL wants `SELECT` and, on at least one column, `UPDATE`
    /// ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    Privilege,
}

impl LockObstacle {
    /// The server's refusal undoes its statement and nothing else.
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

/// What cannot be locked: the rows, or all rows of the table.
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
    /// Names the tables, quoted and bare, whose rows the statement was to lock.
    ///
    /// The privilege that is lacking may be one on a joined table, whose rows were not to be locked: that stays the server's
    /// error.
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
