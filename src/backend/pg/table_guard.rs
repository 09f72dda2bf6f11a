//! The CTE in front of a locking statement that makes the server refuse anything that is not a table.
//!
//! `FOR UPDATE` on a view locks the rows that the view's query happens to read, or none, and reports neither. On a foreign table it depends
//! on the wrapper. A sample can be taken only of tables (and of materialized views, which the locking clause refuses by itself), and the
//! server checks that while it parses the statement ([manual][sample]). A CTE that nothing refers to is neither planned nor run, so it
//! costs a prepared statement nothing. The check is repeated whenever the table changes, which a cached answer on the client could not do.
//!
//! [sample]: https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM

use diesel::{pg::Pg, query_builder::AstPass, result::QueryResult};

use crate::sql::TableName;

/// Writes `WITH "lockset: a table" AS (SELECT FROM t TABLESAMPLE SYSTEM (0))`. A further CTE or, after a space, the statement follows.
///
/// No user's table has such a name, so the CTE hides none.
pub(super) fn walk_guard(pass: &mut AstPass<'_, '_, Pg>, table: &TableName) {
    pass.push_sql("WITH \"lockset: a table\" AS (SELECT FROM ");
    pass.push_sql(table.quoted());
    pass.push_sql(" TABLESAMPLE SYSTEM (0))");
}

/// Writes the same check for several tables.
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
