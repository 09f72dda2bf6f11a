//! The statement that locks rows by key, or reads rows that were not locked.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{
    covering_index::Uncovered,
    fragments::{READ_AND_LOCK, comment, from_table, key_among, locking_clause, without_limit},
    key_check::KeyCheck,
    level_guard::Refused,
};
use crate::{
    diesel_internals::Statement,
    mode::{Strength, Wait},
    sql::{AnySelect, Keys, ModelText},
};

/// One model's part of [`LockRows`].
pub(super) struct LockModel<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    /// The keys of the rows.
    pub(super) now: Option<&'q dyn Keys<Mysql>>,
    /// The requested keys among them.
    pub(super) asked: Option<&'q dyn Keys<Mysql>>,
    /// The queries that the statement evaluates for each row.
    pub(super) at_once: Vec<&'q dyn AnySelect<Mysql>>,
}

/// Locks rows by primary key, in ascending order:
///
/// `SELECT cols, .. FROM t FORCE INDEX (PRIMARY) WHERE id IN (..) AND .. ORDER BY id LIMIT 18446744073709551615 FOR UPDATE`
///
/// The last condition is that of [`KeyCheck`] or, for a read that locks nothing, of [`Refused::Snapshot`]. After the columns of all models
/// follow, for each model, whether the row was requested by key and, for each query over the table alone, whether the row matches it:
/// `EXISTS (SELECT 1 FROM DUAL WHERE ..)` sees the row as it is under the lock, also where the transaction's snapshot is older.
pub(super) struct LockRows<'q> {
    pub(super) models: Vec<LockModel<'q>>,
    /// The lock strength, and whether the lock waits; `None` for a plain read.
    pub(super) lock: Option<(Strength, Wait)>,
    /// True if a row can come for several reasons, so that the statement returns which of them apply.
    pub(super) mixed: bool,
    pub(super) uncovered: Option<&'q Uncovered>,
    /// The check that the table can be locked; `None` for a plain read.
    pub(super) fitness: Option<&'q KeyCheck>,
    /// The database of the rows, where an earlier statement of the same call has returned it.
    pub(super) database: Option<&'q str>,
}

impl<'q> LockRows<'q> {
    /// Returns the statement, with the head that it needs if it evaluates queries.
    ///
    /// With few keys it is kept prepared: each number of keys is a text of its own. `NOWAIT` is made to fail. After the server was asked about
    /// the table, the statement is prepared anew: a kept one is about the database in which it was prepared, and may be why it was asked.
    pub(super) fn statement(self) -> Statement<'q, Mysql> {
        let reads = self.models.iter().any(|model| !model.at_once.is_empty());
        let keys: usize = self.models.iter().filter_map(|model| model.now).map(Keys::len).sum();
        let asked = self.database.is_none() && self.fitness.is_some_and(KeyCheck::has_asked);
        let kept = keys <= FEW_KEYS && !asked && !matches!(self.lock, None | Some((_, Wait::Fail)));
        let statement = Statement::new(self);
        let statement = if kept { statement } else { statement.uncached() };
        if reads { statement.behind(READ_AND_LOCK) } else { statement }
    }
}

/// The largest number of keys in a statement that is kept prepared. The server has a limit on all sessions' prepared statements together.
const FEW_KEYS: usize = 16;

impl QueryFragment<Mysql> for LockRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let mut separator = "SELECT ";
        if let Some(database) = self.database {
            pass.push_sql(separator);
            comment(&mut pass, database);
            separator = "";
        }
        for model in &self.models {
            pass.push_sql(separator);
            model.text.walk_columns(pass.reborrow())?;
            separator = ", ";
        }
        for LockModel { text, asked, at_once, .. } in self.models.iter().filter(|_| self.mixed) {
            pass.push_sql(separator);
            match asked {
                Some(asked) => key_among(&mut pass, *text, [*asked])?,
                None => pass.push_sql("FALSE"),
            }
            for query in at_once {
                pass.push_sql(", EXISTS (SELECT 1 FROM DUAL");
                query.walk_filter(pass.reborrow())?;
                pass.push_sql(")");
            }
        }
        if let Some(uncovered) = self.uncovered {
            uncovered.walk_column(&mut pass);
        }
        let table = self.models[0].text;
        from_table(&mut pass, table)?;
        pass.push_sql(" WHERE ");
        key_among(&mut pass, table, self.models.iter().filter_map(|model| model.now))?;
        pass.push_sql(" AND ");
        match self.fitness {
            Some(fitness) => fitness.walk_condition(&mut pass)?,
            None => Refused::Snapshot.walk_condition(&mut pass),
        }
        pass.push_sql(" ORDER BY ");
        table.walk_key(pass.reborrow())?;
        without_limit(&mut pass);
        match self.lock {
            Some((strength, wait)) => locking_clause(&mut pass, strength, None, wait),
            None => Ok(()),
        }
    }
}
