//! What is sent for one table, in which order: which keys do the queries choose? lock them, by key; do they still match?

use diesel::{deserialize, mysql::Mysql, result::QueryResult};

use super::{
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
    sql::{Finished, List, PartInSet, Pending, Rank, Seen, TableName},
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
    /// Which of the locked rows that the query chose does it match?
    Recheck {
        part: usize,
        query: usize,
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
                    .map(|choice| Asked::of((&*choice.query, choice.shape), &name))
                    .collect::<QueryResult<Vec<_>>>()?,
            );
        }
        let (chunks, wait) = (Chunks::default(), patience.wait());
        let mut table = MysqlTable {
            name,
            parts,
            asked,
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

    /// The first query behind `last` that `suits`.
    fn query_after(
        &self,
        last: Option<(usize, usize)>,
        suits: impl Fn(&Self, usize, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let all = self.asked.iter().enumerate().flat_map(|(part, queries)| (0..queries.len()).map(move |i| (part, i)));
        all.filter(|query| Some(*query) > last).find(|&(part, query)| suits(self, part, query))
    }

    /// Puts the candidates in order.
    fn plan(&mut self) -> Result<Step> {
        let counts: Vec<usize> = self.parts.iter().map(|part| part.part.candidates()).collect();
        let ranks = || self.parts.iter().map(|part| part.part.ranks()).collect::<Option<Vec<_>>>();
        self.chunks = if let Some(one) = Chunks::one(&counts) {
            one
        } else if let Some(ranks) = ranks() {
            Chunks::by_rank(ranks)
        } else if self.numbered.is_empty() {
            let width = self.parts[0].part.wanted().key_width();
            if counts.iter().sum::<usize>() * width > MOST_PARAMETERS {
                return Err(LockError::too_many_keys());
            }
            for part in &mut self.parts {
                part.part.queue(Pending::Candidates);
                part.part.next(usize::MAX);
            }
            return Ok(Step::Sort);
        } else {
            Chunks::by_rank(by_part(std::mem::take(&mut self.numbered), &counts))
        };
        Ok(self.lock(0))
    }

    /// Locks the chunk, or goes on behind the last.
    fn lock(&mut self, chunk: usize) -> Step {
        if chunk == self.chunks.count() {
            return self.recheck(None);
        }
        for (i, part) in self.parts.iter_mut().enumerate() {
            part.part.list_candidates(&self.chunks.places(chunk, i));
        }
        Step::Lock { chunk }
    }

    /// Asks the next query that the locking statement could not ask.
    fn recheck(&mut self, last: Option<(usize, usize)>) -> Step {
        let mut last = last;
        while let Some((part, query)) = self.query_after(last, |table, p, q| table.asked[p][q] != Asked::AtOnce) {
            self.parts[part].part.queue(Pending::ToCheck(query));
            if self.parts[part].part.next(CHUNK) {
                return Step::Recheck { part, query };
            }
            last = Some((part, query));
        }
        self.absent(0)
    }

    /// Looks at what did not come back, if the call does not wait.
    fn absent(&mut self, first: usize) -> Step {
        if self.wait == Wait::SkipLocked {
            for part in first..self.parts.len() {
                self.parts[part].part.queue(Pending::Absent);
                if self.parts[part].part.next(CHUNK) {
                    return Step::Absent { part };
                }
            }
        }
        self.parts.iter_mut().for_each(|part| part.part.forget_candidates());
        self.again(None)
    }

    /// Asks a limited query again: rows that it chose may have left it, and others have taken their place.
    fn again(&mut self, last: Option<(usize, usize)>) -> Step {
        let again = |table: &Self, part: usize, query: usize| {
            table.parts[part].choices[query].shape.limited
                && match table.patience {
                    Patience::Block | Patience::Timeout(_) => true,
                    Patience::NoWait => table.parts[part].part.lost(query),
                    // One more try; what is held by others is left out.
                    Patience::SkipLocked => table.looks == 0 && table.parts[part].part.lost(query),
                }
        };
        match self.query_after(last, again) {
            Some((part, query)) => {
                // All of them, however many: one that is not named would take a place under the limit again.
                self.parts[part].part.queue(Pending::Lost(query));
                self.parts[part].part.next(usize::MAX);
                Step::Again { part, query }
            }
            None => Step::Done,
        }
    }

    /// The queries have all been asked again: is there anything new to lock?
    fn more(&mut self) -> Result<Step> {
        if self.parts.iter().all(|part| part.part.candidates() == 0) {
            return Ok(Step::Done);
        }
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return Err(LockError::Moved { table: self.name.quoted().to_owned() });
        }
        // Waiting for a row that comes before one that is held could end in a deadlock. So can skipping, on MariaDB: it joins
        // the queue for the row and leaves it at once, and whoever looks for a circle in that moment finds one.
        self.wait = match self.patience.wait() {
            Wait::Block if self.come_last() => Wait::Block,
            Wait::Block => Wait::Fail,
            wait => wait,
        };
        self.plan()
    }

    /// Whether all candidates come after all that is held.
    fn come_last(&self) -> bool {
        if self.parts.iter().all(|part| part.part.held() == 0) {
            return true;
        }
        let held = self.parts.iter().map(|part| part.part.held_ranks()).collect::<Option<Vec<_>>>();
        let candidates = self.parts.iter().map(|part| part.part.ranks()).collect::<Option<Vec<_>>>();
        held.zip(candidates).is_some_and(|(held, candidates)| {
            let last: Option<Rank> = held.into_iter().flatten().max();
            candidates.into_iter().flatten().all(|rank| Some(rank) > last)
        })
    }

    /// Everything has been locked that will be.
    fn done(&mut self) -> Result<Step> {
        let busy: Vec<RowName> = self.parts.iter().flat_map(|part| part.part.names_of_busy(&self.name)).collect();
        match self.patience {
            _ if busy.is_empty() => {}
            Patience::NoWait => return Err(LockError::Contended { rows: busy, holders: vec![], source: None }),
            Patience::SkipLocked => {}
            Patience::Block | Patience::Timeout(_) => {
                return Err(LockError::Moved { table: self.name.quoted().to_owned() });
            }
        }
        if self.looks > 0 {
            self.parts.iter_mut().for_each(|part| part.part.sort());
        }
        Ok(Step::Done)
    }
}

/// The ranks of the candidates, which are numbered through all parts, part by part.
fn by_part(mut numbered: Vec<(usize, i64)>, counts: &[usize]) -> Vec<Vec<Rank>> {
    numbered.sort_unstable();
    let mut ranks = numbered.into_iter().map(|(_, rank)| vec![i128::from(rank)]);
    counts.iter().map(|count| ranks.by_ref().take(*count).collect()).collect()
}

/// So many parameters fit into a statement.
const MOST_PARAMETERS: usize = 65_535;

impl TableDialogue<Mysql> for MysqlTable<'_> {
    fn exchange(&mut self) -> Option<Exchange<'_, Mysql>> {
        let MysqlTable { name, parts, asked, strength, wait, numbered, .. } = self;
        let (name, strength) = (&*name, *strength);
        match self.step {
            Step::Done => None,
            Step::Resolve { part, query } | Step::Again { part, query } => {
                let again = matches!(self.step, Step::Again { .. }) && asked[part][query] != Asked::Joined;
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
                Some(Exchange::new(Statement::new(Sort { parts: views }), Numbered(numbered)))
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
                let statement = LockRows { parts: views, lock: Some((strength, *wait)), mixed };
                Some(Exchange::new(Statement::new(statement), LockedReader { parts: readers, mixed }))
            }
            Step::Recheck { part, query } => {
                let asked = asked[part][query];
                let PartInSet { part, choices, .. } = parts.get_mut(part)?;
                let (wanted, resolved) = part.keyed_sides()?;
                let chosen = choices.get(query)?;
                let asking = (&*chosen.query, chosen.shape);
                let statement = Statement::new(Recheck { name, wanted, asking, strength, asked });
                let reader = SeenReader { resolved, width: wanted.width(), seen: Seen::Matches(query) };
                Some(Exchange::new(statement, reader))
            }
            Step::Absent { part } => {
                let (wanted, resolved) = parts.get_mut(part)?.part.keyed_sides()?;
                let only = LockPart { wanted, at_once: Vec::new() };
                let statement = Statement::new(LockRows { parts: vec![only], lock: None, mixed: false });
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
            Step::Recheck { part, query } if self.parts[part].part.next(CHUNK) => Step::Recheck { part, query },
            Step::Recheck { part, query } => self.recheck(Some((part, query))),
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

    fn holders(&self) -> Statement<'_, Mysql> {
        Statement::new(Holders { table: self.name.bare() })
    }

    fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
        holder(row)
    }
}
