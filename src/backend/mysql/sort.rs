//! The statement that returns the order of keys on the server.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::fragments::{from_table, keep_out_of_cache, names, with_names, without_limit};
use crate::sql::{Keys, ModelText, helper_name};

/// Reads the server's rank of each of these keys, by the number of the key. Keys that are equal to the server have the same rank.
///
/// ```sql
/// WITH listed (k0, k1) AS (SELECT id, 0 FROM t WHERE 1 = 0
///   UNION ALL SELECT ?, 0 UNION ALL SELECT ?, 1 ..)
/// SELECT k1, DENSE_RANK() OVER (ORDER BY k0) FROM listed
/// ```
///
/// The first `SELECT` gives the column its type and its collation.
pub(super) struct Sort<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    /// The lists of keys, each with the number of its first key.
    pub(super) lists: Vec<(&'q dyn Keys<Mysql>, usize)>,
}

impl QueryFragment<Mysql> for Sort<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let table = self.text;
        let width = table.key_width();
        // The number is the last of the columns.
        with_names(&mut pass, LISTED, width + 1);
        table.walk_key(pass.reborrow())?;
        pass.push_sql(", 0");
        from_table(&mut pass, table)?;
        pass.push_sql(" WHERE 1 = 0");
        for (keys, first) in &self.lists {
            keys.walk_numbered(*first, pass.reborrow())?;
        }
        pass.push_sql(") SELECT ");
        names(&mut pass, LISTED, width..width + 1);
        pass.push_sql(", DENSE_RANK() OVER (ORDER BY ");
        names(&mut pass, LISTED, 0..width);
        pass.push_sql(") FROM ");
        pass.push_sql(LISTED);
        without_limit(&mut pass);
        Ok(())
    }
}

const LISTED: &str = helper_name!("listed");
