//! Statements about a whole database.

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::{blocking::LockConnection, diesel_internals::Statement};

/// The name of a database, quoted by Diesel, between two texts.
struct OnDatabase<'n> {
    verb: &'static str,
    name: &'n str,
    options: &'static str,
}

impl<DB: Backend> QueryFragment<DB> for OnDatabase<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql(self.verb);
        pass.push_identifier(self.name)?;
        pass.push_sql(self.options);
        Ok(())
    }
}

/// Sends a statement about a database: `verb`, its name, and `options`.
pub(super) fn on_database<C: LockConnection>(
    conn: &mut C,
    verb: &'static str,
    name: &str,
    options: &'static str,
) -> QueryResult<()> {
    conn.execute_returning_count(&Statement::new(OnDatabase { verb, name, options }).uncached()).map(drop)
}
