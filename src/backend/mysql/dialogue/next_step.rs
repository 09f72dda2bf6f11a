//! What comes next, when the rows of a statement were read.

use super::{MOST_LOOKS, MysqlTable, Step};
use crate::{
    backend::mysql::{
        plan::{CHUNK, Chunks},
        words::Asked,
    },
    error::{LockError, Result, RowName},
    mode::{Patience, Wait},
    sql::{Among, Pending, Rank},
};

/// So many parameters fit into a statement.
const MOST_PARAMETERS: usize = 65_535;

impl MysqlTable<'_> {
    /// The first query behind `last` that `suits`.
    pub(super) fn query_after(
        &self,
        last: Option<(usize, usize)>,
        suits: impl Fn(&Self, usize, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let all = self.asked.iter().enumerate().flat_map(|(part, queries)| (0..queries.len()).map(move |i| (part, i)));
        all.filter(|query| Some(*query) > last).find(|&(part, query)| suits(self, part, query))
    }

    /// Puts the candidates in order.
    pub(super) fn plan(&mut self) -> Result<Step> {
        let counts: Vec<usize> = self.parts.iter().map(|part| part.part.candidates()).collect();
        let ranks = || self.parts.iter().map(|part| part.part.ranks()).collect::<Option<Vec<_>>>();
        self.chunks = if let Some(one) = Chunks::one(&counts, self.uncovered.most) {
            one
        } else if let Some(ranks) = ranks() {
            Chunks::by_rank(ranks, self.uncovered.most)
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
            Chunks::by_rank(by_part(std::mem::take(&mut self.numbered), &counts), self.uncovered.most)
        };
        Ok(self.lock(0))
    }

    /// Locks the chunk, or goes on behind the last.
    pub(super) fn lock(&mut self, chunk: usize) -> Step {
        if chunk == self.chunks.count() {
            return self.recheck(None);
        }
        for (i, part) in self.parts.iter_mut().enumerate() {
            part.part.list_candidates(&self.chunks.places(chunk, i));
        }
        Step::Lock { chunk }
    }

    /// Asks the next query that the locking statement could not ask.
    pub(super) fn recheck(&mut self, last: Option<(usize, usize)>) -> Step {
        let mut last = last;
        while let Some((part, query)) = self.query_after(last, |table, p, q| table.asked[p][q] != Asked::AtOnce) {
            self.parts[part].part.queue(Pending::ToCheck(query));
            if self.parts[part].part.next(self.models[part].most) {
                return Step::Recheck { part, query };
            }
            last = Some((part, query));
        }
        self.same(0, Among::Held)
    }

    /// Asks about keys that did not come back, unless Rust knows as well as the server which are equal.
    pub(super) fn same(&mut self, first: usize, among: Among) -> Step {
        for part in first..self.parts.len() {
            let keys = &mut self.parts[part].part;
            if keys.ranks().is_none() {
                keys.queue(Pending::Doubtful(among));
                // Of the locked rows, as many as can be named.
                let most = MOST_PARAMETERS / keys.wanted().key_width();
                if keys.next(most) {
                    return Step::Same { part, among };
                }
            }
        }
        match among {
            Among::Held => self.absent(0),
            Among::Busy => {
                self.parts.iter_mut().for_each(|part| part.part.forget_candidates());
                self.again(None)
            }
        }
    }

    /// Looks at what did not come back, if the call does not wait.
    pub(super) fn absent(&mut self, first: usize) -> Step {
        if self.wait == Wait::SkipLocked {
            for part in first..self.parts.len() {
                self.parts[part].part.queue(Pending::Absent);
                if self.parts[part].part.next(CHUNK) {
                    return Step::Absent { part };
                }
            }
        }
        self.same(0, Among::Busy)
    }

    /// Asks a limited query again: rows that it chose may have left it, and others have taken their place.
    pub(super) fn again(&mut self, last: Option<(usize, usize)>) -> Step {
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
    pub(super) fn more(&mut self) -> Result<Step> {
        if self.parts.iter().all(|part| part.part.candidates() == 0) {
            return Ok(Step::Done);
        }
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return Err(LockError::Moved { table: self.name.quoted().to_owned() });
        }
        // The order is at its end: a row that was waited for and has left, deleted or under another key, may still be locked by this
        // session, and nobody says where. So nothing is waited for any more. To skip would not do on MariaDB: it joins the queue for the
        // row and leaves it at once, and whoever looks for a circle in that moment finds one.
        self.wait = match self.patience.wait() {
            Wait::Block => Wait::Fail,
            wait => wait,
        };
        self.plan()
    }

    /// Everything has been locked that will be.
    pub(super) fn done(&mut self) -> Result<Step> {
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
