//! What is sent for one table, in which order: which keys do the queries choose? lock them, by key; do they still match?

mod absent;
mod model_in_set;
mod next_step;
mod step;

use std::time::Duration;

use diesel::{deserialize, mysql::Mysql, result::QueryResult};

use self::{model_in_set::ModelInSet, step::Step};
use super::{
    answer::Doubtful,
    cover::Uncovered,
    fitness::Fitness,
    holders::{Holders, holder},
    levels::{Refused, of_serializable},
    lock_rows::{LockModel, LockRows},
    plan::{CHUNK, Chunks},
    reader::{LockedModel, LockedReader, NumberReader, Ranks, Status},
    resolve::{Recheck, Resolve},
    sort::Sort,
    words::{Asked, Nothing},
};
use crate::{
    backend::{Answer, Exchange, TableDialogue},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, Result, RowName},
    mode::{Patience, Strength, Wait},
    sql::{Finished, Named, QueriedModel, RowId, TableName},
};

/// A limited query that loses a row each time it is asked again would keep a set busy for ever.
const MOST_LOOKS: usize = 1_000;

/// The family's conversation about one table.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct MysqlTable<'a> {
    name: TableName,
    models: Vec<ModelInSet<'a>>,
    /// Of all models together.
    uncovered: Uncovered,
    fitness: Fitness,
    strength: Strength,
    patience: Patience,
    step: Step,
    chunks: Chunks,
    /// The server's ranks of keys, by their places in the list that it was asked about.
    ranks: Vec<(usize, i64)>,
    /// That list, if it is about keys that did not come back.
    doubtful: Doubtful,
    wait: Wait,
    looks: usize,
    /// The rows that are tried one list after the other, the next one last, and those of the statement that is sent.
    tries: Vec<Vec<RowId>>,
    tried: Vec<RowId>,
    /// Rows were locked behind the one pass, and are not in their place.
    late: bool,
}

impl<'a> MysqlTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<QueriedModel<'a, Mysql>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self> {
        let models = parts.into_iter().map(ModelInSet::new).collect::<QueryResult<Vec<_>>>()?;
        let uncovered = Uncovered::together(models.iter().map(|model| &model.uncovered));
        let Some(first) = models.first() else { return Err(diesel::result::Error::NotFound) };
        let fitness = Fitness::of(&name, first.text())?;
        let mut table = MysqlTable {
            name,
            models,
            uncovered,
            fitness,
            strength,
            patience,
            step: Step::Done,
            chunks: Chunks::default(),
            ranks: vec![],
            doubtful: Doubtful::default(),
            wait: patience.wait(),
            looks: 0,
            tries: vec![],
            tried: vec![],
            late: false,
        };
        table.step = match table.query_after(None, |_, _| true) {
            Some((model, query)) => Step::Resolve { model, query },
            None => table.plan().map_err(diesel::result::Error::from)?,
        };
        Ok(table)
    }
}

impl TableDialogue<Mysql> for MysqlTable<'_> {
    /// Others ask MariaDB the same, and as long as they do, it repeats what it has said before.
    const ASKS_FOR_HOLDERS: usize = 3;

    fn exchange(&mut self) -> Option<Exchange<'_, Mysql>> {
        let MysqlTable { models, uncovered, fitness, strength, wait, ranks, step, .. } = self;
        let strength = *strength;
        match *step {
            Step::Done => None,
            Step::Resolve { model, query } | Step::Again { model, query } => {
                let ModelInSet { model, choices, asked, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let again = matches!(step, Step::Again { .. });
                answer.ask(query);
                let chosen = choices.get(query)?;
                let asking = (&*chosen.query, chosen.shape);
                // What is asked anew sees who has left.
                let without = now.keys().filter(|_| again && asked[query] != Asked::Anew);
                let statement = Statement::new(Named(Resolve { text, asking, without }));
                let status = if again && asked[query] == Asked::Anew { Status::Settled } else { Status::Chosen };
                let reader = NumberReader { rows, width: text.width(), answer, status: status(query) };
                Some(Exchange::new(statement, reader))
            }
            Step::Sort => {
                let mut lists = Vec::new();
                let mut first = 0;
                for keys in models.iter().filter_map(|model| model.now.keys()) {
                    lists.push((keys, first));
                    first += keys.len();
                }
                let statement = Statement::new(Named(Sort { text: models.first()?.text(), lists }));
                Some(Exchange::new(statement, Ranks(ranks)))
            }
            Step::Same { model, .. } | Step::Order { model } => {
                let model = models.get(model)?;
                let statement = Statement::new(Named(Sort { text: model.text(), lists: vec![(model.now.keys()?, 0)] }));
                Some(Exchange::new(statement, Ranks(ranks)))
            }
            Step::Lock { .. } | Step::Try { .. } => {
                let mixed = models.len() > 1 || models.iter().any(|model| !model.choices.is_empty());
                let (mut locks, mut readers) = (Vec::new(), Vec::new());
                for ModelInSet { model, choices, asked, answer, all, now, now_asked, .. } in models {
                    let (text, rows) = model.sides();
                    let at_once: Vec<usize> = (0..asked.len()).filter(|i| asked[*i] == Asked::AtOnce).collect();
                    let queries = at_once.iter().map(|i| &*choices[*i].query).collect();
                    let asked = if *all { now.keys() } else { now_asked.keys() };
                    locks.push(LockModel { text, now: now.keys(), asked, at_once: queries });
                    readers.push(LockedModel { rows, answer, width: text.width(), at_once });
                }
                let wait = if matches!(step, Step::Try { .. }) { Wait::Fail } else { *wait };
                let (lock, uncovered, fitness) = (Some((strength, wait)), Some(&*uncovered), Some(&*fitness));
                let statement = LockRows { models: locks, lock, mixed, uncovered, fitness };
                Some(Exchange::new(Statement::new(statement), LockedReader { models: readers, mixed }))
            }
            Step::Ask { .. } => Some(fitness.ask()),
            Step::Fail => Some(Exchange { statement: Statement::new(Nothing), answer: Answer::Nothing }),
            Step::Remember { .. } => Some(fitness.remember()),
            Step::Recheck { model, query } => {
                let ModelInSet { model, choices, asked, uncovered, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let (asked, chosen, held) = (asked[query], choices.get(query)?, now.keys()?);
                let asking = (&*chosen.query, chosen.shape);
                let statement = Named(Recheck { text, held, asking, asked, strength, uncovered });
                let reader = NumberReader { rows, width: text.width(), answer, status: Status::Matches(query) };
                Some(Exchange::new(Statement::new(statement), reader))
            }
            Step::Absent { model } => {
                let ModelInSet { model, answer, now, .. } = models.get_mut(model)?;
                let (text, rows) = model.sides();
                let only = LockModel { text, now: now.keys(), asked: None, at_once: vec![] };
                let look = LockRows { models: vec![only], lock: None, mixed: false, uncovered: None, fitness: None };
                let reader = NumberReader { rows, width: text.width(), answer, status: Status::Busy };
                Some(Exchange::new(Statement::new(look), reader))
            }
        }
    }

    fn end_of_rows(&mut self) -> Result<()> {
        let last = self.step;
        self.step = match last {
            Step::Done | Step::Fail => Step::Done,
            Step::Resolve { model, query } => match self.query_after(Some((model, query)), |_, _| true) {
                Some((model, query)) => Step::Resolve { model, query },
                None => self.plan()?,
            },
            Step::Again { model, query } => match self.again(Some((model, query))) {
                Step::Done => self.more()?,
                step => step,
            },
            Step::Sort => self.plan()?,
            Step::Lock { chunk } => self.lock(chunk + 1),
            Step::Ask { chunk } if self.fitness.judge()? => Step::Remember { chunk },
            Step::Ask { chunk } => Step::Ask { chunk },
            Step::Remember { chunk } => Step::Lock { chunk },
            Step::Recheck { model, query } => {
                let of = &mut self.models[model];
                let most = of.uncovered.most;
                if of.next(most) { Step::Recheck { model, query } } else { self.recheck(Some((model, query))) }
            }
            Step::Same { model, busy } => {
                self.tell_same(model);
                self.same(model + 1, busy)
            }
            Step::Absent { model } if self.models[model].next(CHUNK) => Step::Absent { model },
            Step::Absent { model } => self.absent(model + 1),
            Step::Try { model } => {
                self.late = true;
                self.try_next(model)
            }
            Step::Order { model } => {
                let mut ranks = std::mem::take(&mut self.ranks);
                ranks.sort_unstable();
                self.models[model].answer.sort_by(ranks.into_iter().map(|(_, rank)| rank).collect());
                self.order(model + 1)
            }
        };
        if !matches!(last, Step::Order { .. }) {
            self.put_in_order();
        }
        if self.step == Step::Done { self.done() } else { Ok(()) }
    }

    /// Whoever would have waited asks again, as if the row had been left out.
    fn class(&self, error: LockError) -> LockError {
        match self.step {
            Step::Lock { .. } if self.wait == Wait::Fail && is_held(&error) => {
                LockError::Moved { table: self.name.quoted().to_owned() }
            }
            Step::Resolve { .. } | Step::Again { .. } if Refused::Serializable.is_of(&error) => of_serializable(),
            _ => error,
        }
    }

    fn goes_on(&mut self, error: &LockError) -> bool {
        let next = match self.step {
            Step::Lock { chunk } if self.fitness.must_ask(error) => Some(Step::Ask { chunk }),
            Step::Absent { model } if Refused::Snapshot.is_of(error) => Some(self.try_all(model)),
            Step::Try { model } if is_held(error) => Some(self.try_halves(model)),
            _ => None,
        };
        if let Some(next) = next {
            self.step = next;
            self.put_in_order();
            // An error is told at the end of rows only.
            if self.step == Step::Done && self.done().is_err() {
                self.step = Step::Fail;
            }
        }
        next.is_some()
    }

    fn finish(self) -> Vec<Finished> {
        let MysqlTable { name, models, .. } = self;
        models.into_iter().map(|model| model.finish(&name)).collect()
    }

    fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    fn name(&self) -> &TableName {
        &self.name
    }

    fn asked(&self) -> Vec<RowName> {
        self.models.iter().flat_map(|model| model.model.rows().asked_names(&self.name)).collect()
    }

    fn holders(&self, time: Duration) -> Statement<'_, Mysql> {
        Statement::new(Holders { table: self.name.bare(), time })
    }

    fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
        holder(row)
    }
}

/// Whether an error says that a row is held. MariaDB says that a wait of no time at all took too long.
fn is_held(error: &LockError) -> bool {
    match error {
        LockError::Contended { .. } => true,
        LockError::TimedOut { source: Some(source), .. } => LockError::is_of_a_wait(source),
        _ => false,
    }
}
