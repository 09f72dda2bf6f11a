//! The query that tells whether two names denote the same table: one may have its database in front, or they may differ in letter case.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::Text,
};

use super::fragments::keep_out_of_cache;
use crate::{diesel_internals::Statement, sql::TableName};

/// Builds the query, if the two names may denote the same table. Only the server knows the current database, and whether letter case
/// distinguishes tables (`lower_case_table_names`).
pub(super) fn question<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Mysql>> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let schemas = one.schema().zip(other.schema()).is_none_or(|(one, other)| same(one, other));
    (schemas && same(one.bare(), other.bare())).then(|| Statement::new(SameTable(one, other)))
}

/// Has a row in its answer if the two names denote the same table.
struct SameTable<'q>(&'q TableName, &'q TableName);

/// Writes `SELECT 1 FROM DUAL WHERE IF(@@lower_case_table_names = 0, BINARY .. = BINARY .., LOWER(..) = LOWER(..))`
impl QueryFragment<Mysql> for SameTable<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let SameTable(one, other) = *self;
        pass.push_sql("SELECT 1 FROM DUAL WHERE IF(@@lower_case_table_names = 0, BINARY ");
        walk_name(&mut pass, one)?;
        pass.push_sql(" = BINARY ");
        walk_name(&mut pass, other)?;
        pass.push_sql(", LOWER(");
        walk_name(&mut pass, one)?;
        pass.push_sql(") = LOWER(");
        walk_name(&mut pass, other)?;
        pass.push_sql("))");
        Ok(())
    }
}

/// Writes the name of the table, with its database in front.
fn walk_name<'b>(pass: &mut AstPass<'_, 'b, Mysql>, table: &'b TableName) -> QueryResult<()> {
    // Both sides get the same character set. That of `DATABASE()` may lack characters of the bind parameter.
    pass.push_sql("CONCAT(CONVERT(");
    match table.schema() {
        Some(schema) => pass.push_bind_param::<Text, str>(schema)?,
        None => pass.push_sql("DATABASE()"),
    }
    pass.push_sql(" USING utf8mb4), '.', CONVERT(");
    pass.push_bind_param::<Text, str>(table.bare())?;
    pass.push_sql(" USING utf8mb4))");
    Ok(())
}
