//! Whether two names are those of one table: one has its database in front, or they differ in the size of letters.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::Text,
};

use super::fragments::keep_out_of_cache;
use crate::{diesel_internals::Statement, sql::TableName};

/// Only the server knows which database it is in, and whether the size of letters tells tables apart
/// (`lower_case_table_names`).
pub(super) fn question<'q>(one: &'q TableName, other: &'q TableName) -> Option<Statement<'q, Mysql>> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let schemas = one.schema().zip(other.schema()).is_none_or(|(one, other)| same(one, other));
    (schemas && same(one.bare(), other.bare())).then(|| Statement::new(SameTable(one, other)))
}

struct SameTable<'q>(&'q TableName, &'q TableName);

/// `SELECT 1 FROM DUAL WHERE IF(@@lower_case_table_names = 0, BINARY .. = BINARY .., LOWER(..) = LOWER(..))`
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

fn walk_name<'b>(pass: &mut AstPass<'_, 'b, Mysql>, table: &'b TableName) -> QueryResult<()> {
    // A character set for both sides: that of `DATABASE()` may not have the parameter's letters.
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
