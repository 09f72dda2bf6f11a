//! Locking clauses on a user's query, in the dialect of MySQL and MariaDB, and the query for the keys of its busy rows.

use diesel::{
    deserialize,
    mysql::{Mysql, MysqlQueryBuilder},
    query_builder::{AstPass, QueryFragment},
    query_source::QuerySource,
    result::QueryResult,
    row::Row,
    sql_types::Binary,
};

use super::fragments::{READ_AND_LOCK, join_by_key, keep_out_of_cache, locking_clause, locking_clauses, without_limit};
use crate::{
    diesel_internals::RowRef,
    mode::{Strength, Wait},
    sql::{AnySelect, LockClause, LockStrength, LockedQuery, RowLock, TableName, helper_name, write_text},
};

impl<Q, S, L, W> QueryFragment<Mysql> for RowLock<Q, S, L, W>
where
    L: LockStrength<Mysql>,
    Q: LockedQuery<Mysql>,
    S: QuerySource<FromClause: QueryFragment<Mysql> + 'static>,
{
    fn to_sql(&self, out: &mut MysqlQueryBuilder, _: &Mysql) -> QueryResult<()> {
        write_text(self, self, out)
    }

    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let clauses = LockClause::of(self)?;
        self.walk_tables(pass.reborrow())?;
        clauses.iter().try_for_each(|clause| join_by_key(&mut pass, &clause.table))?;
        self.walk_rest(pass.reborrow())?;
        locking_clauses(&mut pass, clauses)
    }
}

/// Reads the keys, as text, of the rows of a query that cannot be locked at once. Locks the other rows.
///
/// ```sql
/// SELECT DISTINCT k FROM (SELECT CONCAT(t.id) AS k ..) AS wanted
/// WHERE k NOT IN (SELECT k FROM
///   (SELECT CONCAT(t.id) AS k .. FOR UPDATE SKIP LOCKED) AS locked)
/// ORDER BY k
/// ```
pub(super) struct BusyRows<'q> {
    pub(super) query: &'q dyn AnySelect<Mysql>,
    pub(super) key: &'q dyn QueryFragment<Mysql>,
    pub(super) table: &'q TableName,
    pub(super) strength: Strength,
}

/// The alias of the key. The name is not used anywhere else in the statement, since `ORDER BY k` in the query would refer to the alias even
/// if a table of the query has such a column.
const KEY: &str = helper_name!("k");

impl BusyRows<'_> {
    fn walk_keys<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        self.query.walk_head(pass.reborrow())?;
        pass.push_sql(&format!("CONCAT_WS(0x{SEPARATOR:02x}, "));
        self.key.walk_ast(pass.reborrow())?;
        pass.push_sql(") AS ");
        pass.push_sql(KEY);
        self.query.walk_from(pass.reborrow())?;
        join_by_key(&mut pass, self.table)?;
        self.query.walk_filter(pass.reborrow())?;
        self.query.walk_rest(pass)
    }
}

impl QueryFragment<Mysql> for BusyRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(READ_AND_LOCK);
        pass.push_sql("SELECT DISTINCT ");
        pass.push_sql(KEY);
        pass.push_sql(" FROM (");
        self.walk_keys(pass.reborrow())?;
        pass.push_sql(") AS `wanted` WHERE ");
        pass.push_sql(KEY);
        pass.push_sql(" NOT IN (SELECT ");
        pass.push_sql(KEY);
        pass.push_sql(" FROM (");
        self.walk_keys(pass.reborrow())?;
        locking_clause(&mut pass, self.strength, Some(self.table), Wait::SkipLocked)?;
        pass.push_sql(") AS `locked`) ORDER BY ");
        pass.push_sql(KEY);
        without_limit(&mut pass);
        Ok(())
    }
}

/// The separator between the columns of a key. No column is likely to contain this character.
const SEPARATOR: u8 = 0x1f;

/// Reads the key from a row of [`BusyRows`]. A binary column that is not text is written in hexadecimal digits.
pub(super) fn busy_key(row: &RowRef<'_, Mysql>) -> deserialize::Result<String> {
    let key = row.get_value::<Binary, Vec<u8>, _>(0)?;
    let columns = key.split(|byte| *byte == SEPARATOR).map(|column| match std::str::from_utf8(column) {
        Ok(text) => text.to_owned(),
        Err(_) => column.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    });
    Ok(columns.collect::<Vec<_>>().join(","))
}
