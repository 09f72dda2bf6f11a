//! The plan of one table's part of a set: the transaction becomes the writer, and reads the rows.

mod model_in_set;

use std::time::Duration;

use diesel::{
    deserialize,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sqlite::Sqlite,
};

use self::model_in_set::ModelInSet;
use super::{
    read_rows::ReadRows,
    reader::RowReader,
    same_rows::{SameReader, SameRows},
    write_lock::WriteLock,
};
use crate::{
    backend::{Step, TablePlan},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, Result, RowName},
    mode::WaitPolicy,
    sql::{ErasedRows, Keys, Named, QueriedModel, TableName},
};

/// SQLite's plan for one table of a set.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct SqliteTable<'a> {
    name: TableName,
    /// A table of another database, which could not be locked.
    elsewhere: Option<TableName>,
    lock: WriteLock,
    models: Vec<ModelInSet<'a>>,
    stage: Stage,
}

/// The next statement, with the keys that it is about.
enum Stage {
    /// Makes the transaction the writer.
    Lock,
    /// Reads the next batch of rows of model `.0`.
    Read(usize),
    /// Asks which rows have the requested keys of model `.0` that no row has in Rust.
    Same(usize, Box<dyn Keys<Sqlite>>),
    /// Reads the rows of model `.0` in the order of the key.
    Order(usize, Box<dyn Keys<Sqlite>>),
    Done,
}

impl<'a> SqliteTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<QueriedModel<'a, Sqlite>>,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self> {
        let models = parts.into_iter().map(ModelInSet::new).collect::<Result<Vec<_>, _>>()?;
        let stage = if models.iter().all(ModelInSet::is_empty) { Stage::Done } else { Stage::Lock };
        let lock = WriteLock::new(name.clone(), wait_policy);
        Ok(SqliteTable { name, elsewhere: None, lock, models, stage })
    }

    /// Returns the stage that begins with model `i` or a later one.
    fn read(&self, i: usize) -> Stage {
        let next = (i..self.models.len()).find(|i| !self.models[*i].is_empty());
        next.map_or(Stage::Done, Stage::Read)
    }

    /// Returns the stage after all rows of model `i` were read: it may be that the server knows an order or an equality that Rust does not.
    fn settle(&mut self, i: usize) -> Result<Stage> {
        let model = &mut self.models[i];
        if let Some(keys) = model.take_disordered()? {
            return Ok(Stage::Order(i, keys));
        }
        Ok(model.next_unknown().map_or_else(|| self.read(i + 1), |keys| Stage::Same(i, keys)))
    }
}

impl TablePlan<Sqlite> for SqliteTable<'_> {
    /// SQLite does not tell who the writer is.
    const ASKS_FOR_HOLDERS: usize = 0;

    fn among(&mut self, tables: Vec<TableName>) {
        self.lock.among(tables);
    }

    fn next_step(&mut self) -> Option<Step<'_, Sqlite>> {
        let SqliteTable { lock, models, stage, .. } = self;
        match stage {
            Stage::Done => None,
            Stage::Lock => lock.next_step(),
            Stage::Read(i) => {
                let ModelInSet { model, choices, batches, found, .. } = models.get_mut(*i)?;
                let (text, rows) = model.sides();
                let batch = batches.front()?;
                let choices = choices.get(batch.choices.clone())?;
                let statement = Statement::new(Named(ReadRows { text, keys: batch.keys.as_deref(), choices }));
                Some(Step::new(statement, RowReader { rows, width: text.width(), found }))
            }
            Stage::Same(i, keys) => {
                let ModelInSet { model, same, .. } = models.get_mut(*i)?;
                let (text, rows) = model.sides();
                let statement = Statement::new(Named(SameRows { text, keys: &**keys }));
                Some(Step::new(statement, SameReader { rows, width: text.width(), found: same }))
            }
            Stage::Order(i, keys) => {
                let ModelInSet { model, found, .. } = models.get_mut(*i)?;
                let (text, rows) = model.sides();
                let statement = Statement::new(ReadRows { text, keys: Some(&**keys), choices: &[] });
                Some(Step::new(statement, RowReader { rows, width: text.width(), found }))
            }
        }
    }

    fn step_done(&mut self) -> Result<()> {
        self.stage = match &self.stage {
            Stage::Done => Stage::Done,
            Stage::Lock => {
                self.lock.step_done().or_else(|error| self.failed(error))?;
                if self.lock.is_done() { self.read(0) } else { Stage::Lock }
            }
            &Stage::Read(i) => {
                if self.models[i].next_batch() {
                    Stage::Read(i)
                } else {
                    self.settle(i)?
                }
            }
            &Stage::Same(i, _) => {
                self.models[i].told_same();
                self.settle(i)?
            }
            &Stage::Order(i, _) => self.settle(i)?,
        };
        Ok(())
    }

    fn recover(&mut self, error: LockError) -> Result<()> {
        match self.stage {
            Stage::Lock => self.lock.recover(error).or_else(|error| self.failed(error)),
            _ => Err(error),
        }
    }

    fn finish(self) -> impl Iterator<Item = ErasedRows> {
        let SqliteTable { name, models, .. } = self;
        models.into_iter().map(move |model| model.finish(&name))
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn purpose(&self) -> String {
        match self.stage {
            Stage::Lock => format!("makes the transaction the only writer of the database, for {}", self.name.quoted()),
            _ => format!("reads the rows of {}", self.name.quoted()),
        }
    }

    fn go_on(&mut self) -> Result<bool> {
        match self.stage {
            Stage::Read(i) if !self.models[i].next_batch() => self.stage = self.read(i + 1),
            Stage::Read(_) => {}
            _ => self.step_done()?,
        }
        Ok(true)
    }

    fn further(&self) -> Vec<&'static str> {
        vec!["if only the server knows the order of the keys, or whether two are equal: a query for that"]
    }

    fn name(&self) -> &TableName {
        self.elsewhere.as_ref().unwrap_or(&self.name)
    }

    fn asked(&self) -> Vec<RowName> {
        if self.elsewhere.is_some() {
            return Vec::new();
        }
        self.models.iter().flat_map(|model| model.model.rows().asked_names(&self.name)).collect()
    }

    fn holders(&self, _: Duration) -> Statement<'_, Sqlite> {
        Statement::new(Nobody)
    }

    fn holder(_: &RowRef<'_, Sqlite>) -> deserialize::Result<Holder> {
        Err("SQLite does not tell who the writer is".into())
    }
}

impl SqliteTable<'_> {
    /// Names the rows that could not be locked. While another transaction is the writer, none of the requested ones is free.
    fn failed(&mut self, error: LockError) -> Result<()> {
        self.elsewhere = self.lock.elsewhere(&self.name).cloned();
        Err(match error {
            LockError::Contended { holders, source, .. } => {
                LockError::Contended { rows: self.asked(), holders, source }
            }
            error => error,
        })
    }
}

/// A query without rows.
struct Nobody;

impl QueryFragment<Sqlite> for Nobody {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("SELECT 0 WHERE 0");
        Ok(())
    }
}
