//! The statement that reads the rows of a model, when the transaction is the writer.

use diesel::{
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sqlite::Sqlite,
};

use super::fragments::{choice, key_value};
use crate::sql::{Chosen, Keys, ModelText};

/// Reads the rows with these keys and those that these queries choose, each once, in the order of the key.
///
/// ```sql
/// SELECT cols FROM t
/// WHERE id IN (SELECT * FROM (..a query..) UNION ALL VALUES (?), (?))
/// ORDER BY id
/// ```
///
/// The keys get the type and the collation of the column, which stands on the [left side][in] of `IN`.
///
/// [in]: https://www.sqlite.org/lang_expr.html#in_op
pub(super) struct ReadRows<'q> {
    pub(super) text: &'q dyn ModelText<Sqlite>,
    pub(super) keys: Option<&'q dyn Keys<Sqlite>>,
    pub(super) choices: &'q [Chosen<'q, Sqlite>],
}

impl QueryFragment<Sqlite> for ReadRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        self.text.walk_columns(pass.reborrow())?;
        pass.push_sql(" FROM ");
        self.text.walk_table(pass.reborrow())?;
        pass.push_sql(" WHERE ");
        key_value(&mut pass, self.text)?;
        let mut separator = " IN (";
        for chosen in self.choices {
            pass.push_sql(separator);
            // Only a subquery may have an order and a limit of its own.
            choice(&mut pass, chosen, self.text)?;
            separator = " UNION ALL ";
        }
        if let Some(keys) = self.keys {
            pass.push_sql(separator);
            keys.walk(pass.reborrow())?;
        }
        pass.push_sql(") ORDER BY ");
        self.text.walk_key(pass)
    }
}
