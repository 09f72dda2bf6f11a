//! Finds out whether two tables of a set are the same table, or share rows.

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::{Array, Text},
};

use crate::{
    backend::RowSink,
    diesel_internals::{RowRef, Statement},
    error::LockError,
    sql::TableName,
};

/// Returns the statement that asks whether two names denote one table, if they can. Only the server knows how its `search_path` resolves a
/// name without a schema.
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

/// Returns the tables, as SQL names them, whose names suggest that one is a part of another: `jobs_2024` of `jobs`.
///
/// A statement for each set of several tables would cost as much as a table does.
pub(super) fn alike(tables: &[TableName]) -> Vec<String> {
    let begins = |one: &TableName, other: &TableName| one != other && one.bare().starts_with(other.bare());
    let is_alike = |one: &&TableName| tables.iter().any(|other| begins(one, other) || begins(other, one));
    tables.iter().filter(is_alike).map(|table| table.quoted().to_owned()).collect()
}

/// The query that returns a row if one of the tables is a partition of another, or inherits from it, over any number of steps.
pub(super) struct PartsOfEachOther<'q>(pub(super) &'q [String]);

impl PartsOfEachOther<'_> {
    fn walk_tables<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            " OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT pg_catalog.to_regclass(\"name\")::pg_catalog.oid FROM unnest(",
        );
        pass.push_bind_param::<Array<Text>, [String]>(self.0)?;
        pass.push_sql(") AS \"name\"))");
        Ok(())
    }
}

impl QueryFragment<Pg> for PartsOfEachOther<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "WITH RECURSIVE \"above\" (\"oid\") AS (SELECT \"inhparent\" FROM \"pg_catalog\".\"pg_inherits\" WHERE \"inhrelid\"",
        );
        self.walk_tables(&mut pass)?;
        pass.push_sql(
            " UNION SELECT \"inhparent\" FROM \"pg_catalog\".\"pg_inherits\" INNER JOIN \"above\" \
             ON \"inhrelid\" OPERATOR(pg_catalog.=) \"above\".\"oid\") SELECT FROM \"above\" WHERE \"oid\"",
        );
        self.walk_tables(&mut pass)
    }
}

/// The row sink that records that there is a row.
pub(super) struct AnyRow<'e>(pub(super) &'e mut bool);

impl RowSink<Pg> for AnyRow<'_> {
    fn row(&mut self, _: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        *self.0 = true;
        Ok(())
    }
}

/// Returns the error for a table and a part of it in one set: the rows of the part are rows of the whole.
pub(super) fn a_table_and_its_part() -> LockError {
    let advice = "its rows would be locked in two passes, which can deadlock with a set that has one: lock all of them as rows of the \
                  table, or all as rows of partitions";
    LockError::Unsupported { clause: "a table beside one of its partitions, or one that inherits from it,", advice }
}

#[cfg(test)]
mod tests {
    use super::alike;
    use crate::sql::TableName;

    #[test]
    fn tables_are_alike_if_one_name_begins_with_another() {
        diesel::table! { jobs { id -> Integer, } }
        diesel::table! { jobs_2024 { id -> Integer, } }
        diesel::table! { old.jobs_2023 (id) { id -> Integer, } }
        diesel::table! { job { id -> Integer, } }
        diesel::table! { owners { id -> Integer, } }
        macro_rules! names {
            ($($table:expr),*) => { [$(TableName::of::<diesel::pg::Pg>(&$table).unwrap()),*] };
        }
        assert_eq!(alike(&names!(jobs::table, owners::table)), [""; 0]);
        let tables = names!(jobs::table, jobs_2024::table, jobs_2023::table, owners::table);
        assert_eq!(alike(&tables), ["\"jobs\"", "\"jobs_2024\"", "\"old\".\"jobs_2023\""]);
        assert_eq!(alike(&names!(job::table, owners::table)), [""; 0]);
    }
}
