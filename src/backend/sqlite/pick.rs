//! The plan of a pick or a claim: the transaction becomes the writer, to which every row is free, and takes the first ones.

use std::mem;

use diesel::{
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::BigInt,
    sqlite::Sqlite,
};

use super::{
    fragments::{key_value, keys_of},
    key_list::MOST_VALUES,
    reader::RowReader,
    write_lock::WriteLock,
};
use crate::{
    backend::{PickPlan, Picking, Step},
    diesel_internals::Statement,
    error::{LockError, Result},
    mode::WaitPolicy,
    sql::{Answer, AnySelect, Keys, Model, ModelText, QueryText, RowId, RowSet},
};

/// SQLite's plan for a pick or a claim.
#[doc(hidden)]
#[derive(Debug)]
pub struct SqlitePick {
    lock: WriteLock,
    limit: i64,
    claims: bool,
    stage: Stage,
    /// The rows that the last statement has returned.
    found: Vec<RowId>,
    /// The picked rows, in the order of the query, in front of a change.
    picked: Vec<RowId>,
    /// The lists of their keys, one for each statement that changes rows.
    lists: Vec<Box<dyn Keys<Sqlite>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Makes the transaction the writer.
    Lock,
    /// Picks and changes the only row of a claim.
    Claim,
    /// Picks the rows.
    Take,
    /// Changes the picked rows.
    Change,
    Done,
}

impl PickPlan<Sqlite> for SqlitePick {
    fn new(
        _: &dyn AnySelect<Sqlite>,
        _: &QueryText,
        _: &mut dyn Model<Sqlite>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self> {
        let (limit, claims) = (*pick.limit, changes.is_some());
        let stage = if limit > 0 { Stage::Lock } else { Stage::Done };
        let lock = WriteLock::new(pick.table.clone(), WaitPolicy::Block);
        Ok(SqlitePick { lock, limit, claims, stage, found: Vec::new(), picked: Vec::new(), lists: Vec::new() })
    }

    /// A transaction of the claim's own begins as the writer, and waits for another one.
    fn claims_in_steps(&self) -> bool {
        self.claims
    }

    fn next_step<'e>(
        &'e mut self,
        query: &'e dyn AnySelect<Sqlite>,
        model: &'e mut dyn Model<Sqlite>,
        changes: Option<&'e dyn QueryFragment<Sqlite>>,
    ) -> Option<Step<'e, Sqlite>> {
        let SqlitePick { lock, limit, stage, found, lists, .. } = self;
        let (text, rows) = model.sides();
        let statement = match stage {
            Stage::Done => return None,
            Stage::Lock => return lock.next_step(),
            Stage::Claim => Statement::new(Change { text, changes: changes?, rows: Rows::First { query, limit } }),
            Stage::Take => Statement::new(Take { query, text, limit }),
            Stage::Change => Statement::new(Change { text, changes: changes?, rows: Rows::Keys(&**lists.last()?) }),
        };
        Some(Step::new(statement, RowReader { rows, width: text.width(), found }))
    }

    fn step_done(&mut self, model: &mut dyn Model<Sqlite>) -> Result<()> {
        self.stage = match self.stage {
            Stage::Done => Stage::Done,
            Stage::Lock => {
                self.lock.step_done()?;
                match self.lock.is_done() {
                    false => Stage::Lock,
                    true if self.claims && self.limit == 1 => Stage::Claim,
                    true => self.take(model),
                }
            }
            // No row: either there is none to pick, or a trigger has kept it from being changed.
            Stage::Claim if self.found.is_empty() => self.take(model),
            Stage::Take if self.claims && !self.found.is_empty() => {
                self.list(model);
                Stage::Change
            }
            Stage::Change => {
                self.lists.pop();
                if self.lists.is_empty() { self.changed()? } else { Stage::Change }
            }
            Stage::Claim | Stage::Take => Stage::Done,
        };
        Ok(())
    }

    fn recover(&mut self, error: LockError) -> Result<()> {
        if self.stage == Stage::Lock { self.lock.recover(error) } else { Err(error) }
    }

    fn answer(&mut self) -> Answer {
        Answer { rows: (!self.picked.is_empty()).then(|| mem::take(&mut self.found)), ..Answer::default() }
    }

    fn arrange<T>(self, rows: Vec<T>) -> Vec<T> {
        rows
    }
}

impl SqlitePick {
    /// Begins a pick. The rows of a claim are read again when they are changed, so each has a number of its own.
    fn take(&mut self, model: &mut dyn Model<Sqlite>) -> Stage {
        if self.claims {
            model.sides().1.number_asked();
        }
        Stage::Take
    }

    /// Lists the keys of the picked rows. They are changed by key: `RETURNING` does not keep the order of a query.
    fn list(&mut self, model: &mut dyn Model<Sqlite>) {
        let (text, rows) = model.sides();
        let (mut seen, found) = (RowSet::default(), mem::take(&mut self.found));
        self.picked = found.into_iter().filter(|row| seen.insert(*row)).collect();
        self.lists = self.picked.chunks(MOST_VALUES / text.key_width()).map(|picked| rows.keys(picked)).collect();
    }

    /// Puts the changed rows in the order in which they were picked.
    fn changed(&mut self) -> Result<Stage> {
        if self.found.is_empty() {
            return Err(LockError::refused_changes());
        }
        let changed: RowSet = self.found.iter().copied().collect();
        let count = self.found.len();
        self.found = self.picked.iter().copied().filter(|row| changed.contains(*row)).collect();
        if self.found.len() < count { Err(LockError::changed_key()) } else { Ok(Stage::Done) }
    }
}

/// Reads the first rows of a query: `SELECT cols ..the query.. LIMIT n`.
struct Take<'q> {
    query: &'q dyn AnySelect<Sqlite>,
    text: &'q dyn ModelText<Sqlite>,
    limit: &'q i64,
}

impl QueryFragment<Sqlite> for Take<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.query.walk_head(pass.reborrow())?;
        self.text.walk_columns(pass.reborrow())?;
        self.query.walk_from(pass.reborrow())?;
        self.query.walk_filter(pass.reborrow())?;
        self.query.walk_rest(pass.reborrow())?;
        walk_limit(self.limit, pass)
    }
}

/// Changes rows and reads them: `UPDATE t SET .. WHERE id IN (..) RETURNING cols`.
///
/// The list is complete before the first row is changed, since SQLite evaluates a subquery on the right side of `IN` [once][in].
///
/// [in]: https://www.sqlite.org/lang_expr.html#in_op
struct Change<'q> {
    text: &'q dyn ModelText<Sqlite>,
    changes: &'q dyn QueryFragment<Sqlite>,
    rows: Rows<'q>,
}

enum Rows<'q> {
    /// The first rows of a query.
    First { query: &'q dyn AnySelect<Sqlite>, limit: &'q i64 },
    /// The rows with these keys.
    Keys(&'q dyn Keys<Sqlite>),
}

impl QueryFragment<Sqlite> for Change<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("UPDATE ");
        self.text.walk_table(pass.reborrow())?;
        pass.push_sql(" SET ");
        self.changes.walk_ast(pass.reborrow())?;
        pass.push_sql(" WHERE ");
        key_value(&mut pass, self.text)?;
        match &self.rows {
            Rows::Keys(keys) => keys.walk_in(pass.reborrow())?,
            Rows::First { query, limit } => {
                pass.push_sql(" IN (");
                keys_of(&mut pass, *query, self.text)?;
                walk_limit(limit, pass.reborrow())?;
                pass.push_sql(")");
            }
        }
        pass.push_sql(" RETURNING ");
        self.text.walk_columns(pass)
    }
}

fn walk_limit<'b>(limit: &'b i64, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    pass.push_sql(" LIMIT ");
    pass.push_bind_param::<BigInt, i64>(limit)
}
