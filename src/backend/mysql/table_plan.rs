//! The plan for one table of a set. It reads the keys that the queries choose, locks these rows by key, and rechecks them against the
//! queries.

mod model_in_set;
mod next_step;
mod not_found;
mod stage;

use std::time::Duration;

use diesel::{deserialize, mysql::Mysql, result::QueryResult};

use self::{model_in_set::ModelInSet, stage::Stage};
use super::{
    answer::UnknownKeys,
    chunks::{CHUNK, Chunks},
    covering_index::Uncovered,
    empty_read::EmptyRead,
    fragments::Asked,
    holders::{Holders, row_holder},
    key_check::KeyCheck,
    level_guard::{Refused, of_serializable},
    lock_rows::{LockModel, LockRows},
    reader::{LockedModel, LockedReader, NumberReader, Ranks, Status},
    resolve::{Recheck, Resolve},
    sort::Sort,
};
use crate::{
    backend::{Step, TablePlan},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, Result, RowName},
    mode::{Strength, Wait, WaitPolicy},
    sql::{ErasedRows, Named, QueriedModel, RowId, TableName},
};

/// The largest number of times that the limited queries of a set are read again to lock more rows. Without it, a limited query that loses a
/// row each time would keep a set busy for ever.
const MOST_LOOKS: usize = 1_000;

/// The plan for one table on MySQL and MariaDB.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct MysqlTable<'a> {
    name: TableName,
    models: Vec<ModelInSet<'a>>,
    /// The additional column and the limit on keys, for all models together.
    uncovered: Uncovered,
    fitness: KeyCheck,
    strength: Strength,
    wait_policy: WaitPolicy,
    stage: Stage,
    chunks: Chunks,
    /// The server's ranks of keys, each with the key's place in the list that was sent.
    ranks: Vec<(usize, i64)>,
    /// The list that was sent, if it is about keys that did not come back.
    doubtful: UnknownKeys,
    wait: Wait,
    looks: usize,
    /// The lists of rows to be tried one after the other, the next one last; and the rows of the statement that is being sent.
    tries: Vec<Vec<RowId>>,
    tried: Vec<RowId>,
    empty: EmptyRead,
    /// True if rows were locked after the ordered pass, and so are not in their place.
    late: bool,
}

impl<'a> MysqlTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<QueriedModel<'a, Mysql>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self> {
        let models = parts.into_iter().map(ModelInSet::new).collect::<QueryResult<Vec<_>>>()?;
        let uncovered = Uncovered::together(models.iter().map(|model| &model.uncovered));
        let Some(first) = models.first() else { return Err(diesel::result::Error::NotFound) };
        let fitness = KeyCheck::of(&name, first.text())?;
        let mut table = MysqlTable {
            name,
            models,
            uncovered,
            fitness,
            strength,
            wait_policy,
            stage: Stage::Done,
            chunks: Chunks::default(),
            ranks: vec![],
            doubtful: UnknownKeys::default(),
            wait: wait_policy.wait(),
            looks: 0,
            tries: vec![],
            tried: vec![],
            empty: EmptyRead::default(),
            late: false,
        };
        table.stage = match table.query_after(None, |_, _| true) {
            Some((model, query)) => Stage::Resolve { model, query },
            None => table.plan().map_err(diesel::result::Error::from)?,
        };
        Ok(table)
    }
}

impl TablePlan<Mysql> for MysqlTable<'_> {
    /// MariaDB repeats its last answer as long as other sessions ask the same question.
    const ASKS_FOR_HOLDERS: usize = 3;

    fn next_step(&mut self) -> Option<Step<'_, Mysql>> {
        let MysqlTable { models, uncovered, fitness, strength, wait, ranks, stage, empty, .. } = self;
        let strength = *strength;
        match *stage {
            Stage::Done => None,
            Stage::Resolve { model, query } | Stage::Again { model, query } => {
                let ModelInSet { model, choices, asked, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let again = matches!(stage, Stage::Again { .. });
                answer.ask(query);
                let chosen = choices.get(query)?;
                let asking = (chosen.select(), chosen.shape);
                // A query with `Asked::Anew` runs on a snapshot that already shows which rows have left it.
                let without = now.keys().filter(|_| again && asked[query] != Asked::Anew);
                let statement = Statement::new(Named(Resolve { text, asking, without }));
                let status = if again && asked[query] == Asked::Anew { Status::Settled } else { Status::Chosen };
                let (width, status, empty) = (text.width(), status(query), Some(empty.begin()));
                let reader = NumberReader { rows, width, answer, status, empty };
                Some(Step::new(statement, reader))
            }
            Stage::Sort => {
                let mut lists = Vec::new();
                let mut first = 0;
                for keys in models.iter().filter_map(|model| model.now.keys()) {
                    lists.push((keys, first));
                    first += keys.len();
                }
                let statement = Statement::new(Named(Sort { text: models.first()?.text(), lists }));
                Some(Step::new(statement, Ranks(ranks)))
            }
            Stage::Same { model, .. } | Stage::Order { model } => {
                let model = models.get(model)?;
                let statement = Statement::new(Named(Sort { text: model.text(), lists: vec![(model.now.keys()?, 0)] }));
                Some(Step::new(statement, Ranks(ranks)))
            }
            Stage::Lock { .. } | Stage::Try { .. } => {
                let mixed = models.len() > 1 || models.iter().any(|model| !model.choices.is_empty());
                let (mut locks, mut readers) = (Vec::new(), Vec::new());
                for ModelInSet { model, choices, asked, answer, all, now, now_asked, .. } in models {
                    let (text, rows) = model.sides();
                    let at_once: Vec<usize> = (0..asked.len()).filter(|i| asked[*i] == Asked::AtOnce).collect();
                    let queries = at_once.iter().map(|i| choices[*i].select()).collect();
                    let asked = if *all { now.keys() } else { now_asked.keys() };
                    locks.push(LockModel { text, now: now.keys(), asked, at_once: queries });
                    readers.push(LockedModel { rows, answer, width: text.width(), at_once });
                }
                let wait = if matches!(stage, Stage::Try { .. }) { Wait::Fail } else { *wait };
                let (lock, uncovered, fitness) = (Some((strength, wait)), Some(&*uncovered), Some(&*fitness));
                let statement = LockRows { models: locks, lock, mixed, uncovered, fitness, database: None };
                Some(Step::new(statement.statement(), LockedReader { models: readers, mixed }))
            }
            Stage::Ask { .. } => Some(fitness.ask()),
            Stage::Remember { .. } => Some(fitness.remember()),
            Stage::Recheck { model, query } => {
                let ModelInSet { model, choices, asked, uncovered, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let (asked, chosen, held) = (asked[query], choices.get(query)?, now.keys()?);
                let asking = (chosen.select(), chosen.shape);
                let statement = Recheck { text, held, asking, asked, strength, uncovered }.statement();
                let (width, status, empty) = (text.width(), Status::Matches(query), Some(empty.begin()));
                let reader = NumberReader { rows, width, answer, status, empty };
                Some(Step::new(statement, reader))
            }
            Stage::Absent { model } => {
                let ModelInSet { model, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let only = LockModel { text, now: now.keys(), asked: None, at_once: vec![] };
                let models = vec![only];
                let look =
                    LockRows { models, lock: None, mixed: false, uncovered: None, fitness: None, database: None };
                let reader = NumberReader { rows, width: text.width(), answer, status: Status::Busy, empty: None };
                Some(Step::new(look.statement(), reader))
            }
        }
    }

    fn step_done(&mut self) -> Result<()> {
        if self.empty.is_doubtful() {
            return Ok(());
        }
        let last = self.stage;
        self.stage = match last {
            Stage::Done => Stage::Done,
            Stage::Resolve { model, query } => match self.query_after(Some((model, query)), |_, _| true) {
                Some((model, query)) => Stage::Resolve { model, query },
                None => self.plan()?,
            },
            Stage::Again { model, query } => match self.again(Some((model, query))) {
                Stage::Done => self.more()?,
                stage => stage,
            },
            Stage::Sort => self.plan()?,
            Stage::Lock { chunk } => self.lock(chunk + 1),
            Stage::Ask { chunk } if self.fitness.judge()? => Stage::Remember { chunk },
            Stage::Ask { chunk } => Stage::Ask { chunk },
            Stage::Remember { chunk } => Stage::Lock { chunk },
            Stage::Recheck { model, query } => {
                let of = &mut self.models[model];
                let most = of.uncovered.most;
                if of.next(most) { Stage::Recheck { model, query } } else { self.recheck(Some((model, query))) }
            }
            Stage::Same { model, busy } => {
                self.tell_same(model);
                self.same(model + 1, busy)
            }
            Stage::Absent { model } if self.models[model].next(CHUNK) => Stage::Absent { model },
            Stage::Absent { model } => self.absent(model + 1),
            Stage::Try { model } => {
                self.late = true;
                self.try_next(model)
            }
            Stage::Order { model } => {
                let mut ranks = std::mem::take(&mut self.ranks);
                ranks.sort_unstable();
                self.models[model].answer.sort_by(ranks.into_iter().map(|(_, rank)| rank).collect());
                self.order(model + 1)
            }
        };
        if !matches!(last, Stage::Order { .. }) {
            self.put_in_order();
        }
        if self.stage == Stage::Done { self.done() } else { Ok(()) }
    }

    /// Returns [`LockError::LimitedRowsChanged`] for a busy row that was locked out of order. Such a statement does not wait although the
    /// call does, so the row counts as left out. Also returns the error for a query that was refused under SERIALIZABLE.
    fn class(&self, error: LockError) -> LockError {
        match self.stage {
            Stage::Lock { .. } if self.wait == Wait::Fail && is_held(&error) => {
                LockError::LimitedRowsChanged { table: self.name.quoted().to_owned() }
            }
            Stage::Resolve { .. } | Stage::Again { .. } if Refused::Serializable.is_of(&error) => of_serializable(),
            _ => error,
        }
    }

    fn recover(&mut self, error: LockError) -> Result<()> {
        self.stage = match self.stage {
            Stage::Lock { chunk } if self.fitness.must_ask(&error) => Stage::Ask { chunk },
            Stage::Absent { model } if Refused::Snapshot.is_of(&error) => self.try_all(model),
            Stage::Try { model } if is_held(&error) => self.try_halves(model),
            _ => return Err(error),
        };
        self.put_in_order();
        if self.stage == Stage::Done { self.done() } else { Ok(()) }
    }

    fn finish(self) -> impl Iterator<Item = ErasedRows> {
        let MysqlTable { name, models, .. } = self;
        models.into_iter().map(move |model| model.finish(&name))
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn purpose(&self) -> String {
        let (table, wait) = (
            self.name.quoted(),
            match self.wait {
                Wait::Block => "waits for those that other sessions hold",
                Wait::Fail => "fails if another session holds one",
                Wait::SkipLocked => "leaves out those that other sessions hold",
            },
        );
        match self.stage {
            Stage::Resolve { .. } => {
                format!("reads the keys of the rows of {table} that a query chooses, without a lock")
            }
            Stage::Sort => format!("reads the order in which the server has these keys of {table}"),
            _ => format!("locks and reads rows of {table} by primary key, in the order of the key; {wait}"),
        }
    }

    fn go_on(&mut self) -> Result<bool> {
        self.stage = match self.stage {
            Stage::Resolve { model, query } => match self.query_after(Some((model, query)), |_, _| true) {
                Some((model, query)) => Stage::Resolve { model, query },
                None => return Ok(false),
            },
            Stage::Lock { chunk } if chunk + 1 < self.chunks.count() => self.lock(chunk + 1),
            _ => return Ok(false),
        };
        Ok(true)
    }

    fn further(&self) -> Vec<&'static str> {
        let queries = self.models.iter().flat_map(|model| &model.choices);
        let mut further = vec![
            "if the session has not locked rows of a table before, the first locking statement fails, and is sent again behind a query for \
             the table's engine and primary key and a `SET` that remembers it",
        ];
        if self.stage == Stage::Sort {
            further.push("the rows are locked by primary key, in the order that the server has answered, 512 keys to a statement");
        }
        if queries.clone().next().is_some() {
            further.push("the rows that a query has chosen are locked by primary key, 512 keys to a statement, if they still match");
        }
        if queries.clone().any(|chosen| chosen.shape.limited || !chosen.text.own) {
            further.push("a limited query, and one that depends on more than the row, is sent once more when its rows are locked");
        }
        if self.models.iter().any(|model| !model.model.rows().is_exact()) {
            further.push(
                "if a requested key did not come back: a query for whether the server has it in another spelling",
            );
        }
        further
    }

    fn name(&self) -> &TableName {
        &self.name
    }

    fn asked(&self) -> Vec<RowName> {
        self.models.iter().flat_map(|model| model.model.rows().asked_names(&self.name)).collect()
    }

    fn holders(&self, time: Duration) -> Statement<'_, Mysql> {
        Statement::new(Holders { table: &self.name, time })
    }

    fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
        row_holder(row)
    }
}

/// Returns whether an error says that another session holds a row. MariaDB reports a failed `NOWAIT` as a lock wait that took too long.
fn is_held(error: &LockError) -> bool {
    match error {
        LockError::Contended { .. } => true,
        LockError::TimedOut { source: Some(source), .. } => LockError::is_of_a_wait(source),
        _ => false,
    }
}
