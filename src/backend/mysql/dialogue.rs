//! What is sent for one table, in which order: which keys do the queries choose? lock them, by key; do they still match?

mod next_step;

use std::time::Duration;

use diesel::{deserialize, mysql::Mysql, result::QueryResult};

use super::{
    cover::Uncovered,
    fitness::Fitness,
    holders::{Holders, holder},
    lock_rows::{LockPart, LockRows, Recheck, Resolve, Sort},
    plan::{CHUNK, Chunks},
    reader::{LockedPart, LockedReader, Numbered, SeenReader},
    words::Asked,
};
use crate::{
    backend::{Exchange, TableDialogue},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError, Result, RowName},
    mode::{Patience, Strength, Wait},
    sql::{Among, Finished, List, Named, PartInSet, Seen, TableName},
};

/// A limited query that loses a row each time it is asked again would keep a set busy for ever.
const MOST_LOOKS: usize = 1_000;

/// The family's conversation about one table.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct MysqlTable<'a> {
    name: TableName,
    parts: Vec<PartInSet<'a, Mysql>>,
    /// How each query of each part can be asked under the lock.
    asked: Vec<Vec<Asked>>,
    /// Of each part, and of all of them together.
    models: Vec<Uncovered>,
    uncovered: Uncovered,
    fitness: Fitness,
    strength: Strength,
    patience: Patience,
    step: Step,
    chunks: Chunks,
    /// The server's ranks of the candidates, by their number, where Rust does not know them.
    numbered: Vec<(usize, i64)>,
    wait: Wait,
    looks: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Which rows does query `query` of part `part` choose?
    Resolve {
        part: usize,
        query: usize,
    },
    /// And now that the rows are locked?
    Again {
        part: usize,
        query: usize,
    },
    /// In which order does the server have the candidates?
    Sort,
    /// Lock a chunk of them.
    Lock {
        chunk: usize,
    },
    /// Can the rows be locked? To be known before the chunk is.
    Ask {
        chunk: usize,
    },
    /// They can; to be remembered by the session.
    Remember {
        chunk: usize,
    },
    /// Which of the locked rows that the query chose does it match?
    Recheck {
        part: usize,
        query: usize,
    },
    /// Which of the keys that did not come back are the same as some that did, to the server? Letters may be large or small.
    Same {
        part: usize,
        among: Among,
    },
    /// Which of the rows that did not come back exist?
    Absent {
        part: usize,
    },
    Done,
}

impl<'a> MysqlTable<'a> {
    pub(super) fn new(
        name: TableName,
        mut parts: Vec<PartInSet<'a, Mysql>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self> {
        let mut asked = Vec::new();
        for PartInSet { part, choices } in &mut parts {
            part.prepare();
            part.begin(&choices.iter().map(|choice| choice.shape).collect::<Vec<_>>());
            asked.push(
                choices
                    .iter()
                    .map(|choice| Asked::of((&*choice.query, choice.shape), &choice.text, &name))
                    .collect::<QueryResult<Vec<_>>>()?,
            );
        }
        let models = parts.iter().map(|part| Uncovered::of(part.part.wanted())).collect::<QueryResult<Vec<_>>>()?;
        let uncovered = Uncovered::together(&models);
        let (chunks, wait) = (Chunks::default(), patience.wait());
        let Some(first) = parts.first() else { return Err(diesel::result::Error::NotFound) };
        let fitness = Fitness::of(&name, first.part.wanted())?;
        let mut table = MysqlTable {
            name,
            parts,
            asked,
            models,
            uncovered,
            fitness,
            strength,
            patience,
            step: Step::Done,
            chunks,
            numbered: vec![],
            wait,
            looks: 0,
        };
        table.step = match table.query_after(None, |_, _, _| true) {
            Some((part, query)) => Step::Resolve { part, query },
            None => table.plan().map_err(diesel::result::Error::from)?,
        };
        Ok(table)
    }
}

impl TableDialogue<Mysql> for MysqlTable<'_> {
    /// Others ask MariaDB the same, and as long as they do, it repeats what it has said before.
    const ASKS_FOR_HOLDERS: usize = 3;

    fn exchange(&mut self) -> Option<Exchange<'_, Mysql>> {
        let MysqlTable { name, parts, asked, models, uncovered, fitness, strength, wait, numbered, .. } = self;
        let (name, strength) = (&*name, *strength);
        match self.step {
            Step::Done => None,
            Step::Resolve { part, query } | Step::Again { part, query } => {
                let in_place = matches!(asked[part][query], Asked::AtOnce | Asked::InPlace);
                let again = matches!(self.step, Step::Again { .. }) && in_place;
                let PartInSet { part, choices, .. } = parts.get_mut(part)?;
                let (wanted, resolved) = part.keyed_sides()?;
                resolved.ask(query);
                let (without, chosen) = (again && wanted.has(List::Now), choices.get(query)?);
                let asking = (&*chosen.query, chosen.shape);
                let statement = Statement::new(Resolve { name, wanted, asking, without });
                let reader = SeenReader { resolved, width: wanted.width(), seen: Seen::Chosen(query) };
                Some(Exchange::new(statement, reader))
            }
            Step::Sort => {
                let mut first = 0;
                let mut views = Vec::new();
                for PartInSet { part, .. } in parts.iter().filter(|part| part.part.candidates() > 0) {
                    views.push((part.wanted(), first));
                    first += part.candidates();
                }
                Some(Exchange::new(Statement::new(Named(Sort { parts: views })), Numbered(numbered)))
            }
            Step::Same { part, .. } => {
                let views = vec![(parts.get(part)?.part.wanted(), 0)];
                Some(Exchange::new(Statement::new(Named(Sort { parts: views })), Numbered(numbered)))
            }
            Step::Lock { .. } => {
                let mixed = parts.len() > 1 || asked.iter().any(|queries| !queries.is_empty());
                let (mut views, mut readers) = (Vec::new(), Vec::new());
                for (PartInSet { part, choices, .. }, asked) in parts.iter_mut().zip(asked) {
                    let (wanted, resolved) = part.keyed_sides()?;
                    let at_once: Vec<usize> = (0..asked.len()).filter(|i| asked[*i] == Asked::AtOnce).collect();
                    views.push(LockPart { wanted, at_once: at_once.iter().map(|i| &*choices[*i].query).collect() });
                    readers.push(LockedPart { resolved, width: wanted.width(), at_once });
                }
                let (lock, uncovered, fitness) = (Some((strength, *wait)), Some(&*uncovered), Some(&*fitness));
                let statement = LockRows { parts: views, lock, mixed, uncovered, fitness };
                Some(Exchange::new(Statement::new(statement), LockedReader { parts: readers, mixed }))
            }
            Step::Ask { .. } => Some(fitness.ask()),
            Step::Remember { .. } => Some(fitness.remember()),
            Step::Recheck { part, query } => {
                let (asked, uncovered) = (asked[part][query], &models[part]);
                let PartInSet { part, choices, .. } = parts.get_mut(part)?;
                let (wanted, resolved) = part.keyed_sides()?;
                let chosen = choices.get(query)?;
                let asking = (&*chosen.query, chosen.shape);
                let statement = Statement::new(Named(Recheck { name, wanted, asking, strength, asked, uncovered }));
                let reader = SeenReader { resolved, width: wanted.width(), seen: Seen::Matches(query) };
                Some(Exchange::new(statement, reader))
            }
            Step::Absent { part } => {
                let (wanted, resolved) = parts.get_mut(part)?.part.keyed_sides()?;
                let only = LockPart { wanted, at_once: Vec::new() };
                let look = LockRows { parts: vec![only], lock: None, mixed: false, uncovered: None, fitness: None };
                let statement = Statement::new(look);
                let reader = SeenReader { resolved, width: wanted.width(), seen: Seen::Busy };
                Some(Exchange::new(statement, reader))
            }
        }
    }

    fn end_of_rows(&mut self) -> Result<()> {
        self.step = match self.step {
            Step::Done => Step::Done,
            Step::Resolve { part, query } => match self.query_after(Some((part, query)), |_, _, _| true) {
                Some((part, query)) => Step::Resolve { part, query },
                None => self.plan()?,
            },
            Step::Again { part, query } => match self.again(Some((part, query))) {
                Step::Done => self.more()?,
                step => step,
            },
            Step::Sort => self.plan()?,
            Step::Lock { chunk } => self.lock(chunk + 1),
            Step::Ask { chunk } if self.fitness.judge()? => Step::Remember { chunk },
            Step::Ask { chunk } => Step::Ask { chunk },
            Step::Remember { chunk } => Step::Lock { chunk },
            Step::Recheck { part, query } if self.parts[part].part.next(self.models[part].most) => {
                Step::Recheck { part, query }
            }
            Step::Recheck { part, query } => self.recheck(Some((part, query))),
            Step::Same { part, among } => {
                let ranks = std::mem::take(&mut self.numbered);
                self.parts[part].part.tell_same(among, &ranks);
                self.same(part + 1, among)
            }
            Step::Absent { part } if self.parts[part].part.next(CHUNK) => Step::Absent { part },
            Step::Absent { part } => self.absent(part + 1),
        };
        if self.step == Step::Done {
            self.step = self.done()?;
        }
        Ok(())
    }

    /// Whoever would have waited asks again, as if the row had been left out.
    fn class(&self, error: LockError) -> LockError {
        // MariaDB says that a wait of no time at all took too long.
        let held = match &error {
            LockError::Contended { .. } => true,
            LockError::TimedOut { source: Some(source), .. } => LockError::is_of_a_wait(source),
            _ => false,
        };
        let moved = held && self.wait == Wait::Fail;
        if moved { LockError::Moved { table: self.name.quoted().to_owned() } } else { error }
    }

    fn goes_on(&mut self, error: &LockError) -> bool {
        let Step::Lock { chunk } = self.step else { return false };
        let asks = self.fitness.must_ask(error);
        if asks {
            self.step = Step::Ask { chunk };
        }
        asks
    }

    fn finish(self) -> Vec<Finished> {
        let MysqlTable { name, parts, .. } = self;
        parts.into_iter().map(|part| part.part.finish(&name)).collect()
    }

    fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    fn name(&self) -> &TableName {
        &self.name
    }

    fn asked(&self) -> Vec<RowName> {
        self.parts.iter().flat_map(|part| part.part.asked_names(&self.name)).collect()
    }

    fn holders(&self, time: Duration) -> Statement<'_, Mysql> {
        Statement::new(Holders { table: self.name.bare(), time })
    }

    fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
        holder(row)
    }
}
