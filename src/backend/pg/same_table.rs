//! Whether a name with a schema and one without are those of one table.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::Text,
};

use crate::{diesel_internals::Statement, sql::TableName};

/// Only the server knows what its `search_path` makes of a name without a schema.
pub(super) fn question<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Pg>> {
    let in_question = one.bare() == other.bare() && (one.schema().is_none() || other.schema().is_none());
    in_question.then(|| Statement::new(SameTable { one, other }))
}

struct SameTable<'q> {
    one: &'q TableName,
    other: &'q TableName,
}

impl QueryFragment<Pg> for SameTable<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SELECT 1 WHERE pg_catalog.to_regclass(");
        pass.push_bind_param::<Text, str>(self.one.quoted())?;
        pass.push_sql(") OPERATOR(pg_catalog.=) pg_catalog.to_regclass(");
        pass.push_bind_param::<Text, str>(self.other.quoted())?;
        pass.push_sql(")");
        Ok(())
    }
}
