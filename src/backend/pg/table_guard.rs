//! The piece in front of a locking statement that has the server refuse what is no table.
//!
//! `FOR UPDATE` on a view locks the rows that its query happens to read, or none, and says neither; on a foreign table it depends
//! on the wrapper. That a sample can be taken of tables (and materialized views, which the clause refuses by itself) is
//! checked while the statement is parsed ([manual][sample]). A helper that nothing refers to is neither planned nor run, so a
//! prepared statement pays nothing for it, and the check is made anew whenever the table changes, which no answer that is kept
//! on this side could be.
//!
//! [sample]: https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM

use diesel::{pg::Pg, query_builder::AstPass, result::QueryResult};

use crate::sql::TableName;

/// Writes `WITH "lockset: a table" AS (SELECT FROM t TABLESAMPLE SYSTEM (0))`, to be followed by a further helper or, behind a
/// space, by the statement.
///
/// No table of a user's has such a name, so the helper hides none.
pub(super) fn walk_guard(pass: &mut AstPass<'_, '_, Pg>, table: &TableName) {
    pass.push_sql("WITH \"lockset: a table\" AS (SELECT FROM ");
    pass.push_sql(table.quoted());
    pass.push_sql(" TABLESAMPLE SYSTEM (0))");
}

/// The same of several tables.
pub(super) fn walk_guards<'t>(
    pass: &mut AstPass<'_, '_, Pg>,
    tables: impl Iterator<Item = &'t TableName>,
) -> QueryResult<()> {
    for (i, table) in tables.enumerate() {
        if i == 0 {
            walk_guard(pass, table);
        } else {
            pass.push_sql(", ");
            pass.push_identifier(&format!("lockset: a table {i}"))?;
            pass.push_sql(" AS (SELECT FROM ");
            pass.push_sql(table.quoted());
            pass.push_sql(" TABLESAMPLE SYSTEM (0))");
        }
    }
    Ok(())
}
