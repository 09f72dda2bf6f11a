//! What comes next, when the rows of a statement were read.

use std::collections::HashMap;

use super::{MOST_LOOKS, MysqlTable, Step, model_in_set::ModelInSet};
use crate::{
    backend::mysql::{
        answer::Doubtful,
        plan::{CHUNK, Chunks},
        words::Asked,
    },
    error::{LockError, Result, RowName},
    mode::{Patience, Wait},
    sql::Rank,
};

/// So many parameters fit into a statement.
const MOST_PARAMETERS: usize = 65_535;

impl MysqlTable<'_> {
    /// The first query behind `last` that `suits`.
    pub(super) fn query_after(
        &self,
        last: Option<(usize, usize)>,
        suits: impl Fn(&ModelInSet<'_>, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let all = self.models.iter().enumerate();
        let all = all.flat_map(|(model, of)| (0..of.choices.len()).map(move |query| (model, query)));
        all.filter(|query| Some(*query) > last).find(|&(model, query)| suits(&self.models[model], query))
    }

    /// Puts the candidates in order.
    pub(super) fn plan(&mut self) -> Result<Step> {
        let most = self.uncovered.most;
        let counts: Vec<usize> = self.models.iter().map(ModelInSet::candidates).collect();
        let ranks = || self.models.iter().map(ModelInSet::ranks).collect::<Option<Vec<_>>>();
        self.chunks = if let Some(one) = Chunks::one(&counts, most) {
            one
        } else if let Some(ranks) = ranks() {
            Chunks::by_rank(ranks, most)
        } else if self.ranks.is_empty() {
            let width = self.models[0].text().key_width();
            if counts.iter().sum::<usize>() * width > MOST_PARAMETERS {
                return Err(LockError::too_many_keys());
            }
            self.models.iter_mut().for_each(ModelInSet::list_all);
            return Ok(Step::Sort);
        } else {
            Chunks::by_rank(by_model(std::mem::take(&mut self.ranks), &counts), most)
        };
        Ok(self.lock(0))
    }

    /// Locks the chunk, or goes on behind the last.
    pub(super) fn lock(&mut self, chunk: usize) -> Step {
        if chunk == self.chunks.count() {
            return self.recheck(None);
        }
        for (i, model) in self.models.iter_mut().enumerate() {
            model.list(&self.chunks.places(chunk, i));
        }
        Step::Lock { chunk }
    }

    /// Asks the next query that the locking statement could not ask.
    pub(super) fn recheck(&mut self, last: Option<(usize, usize)>) -> Step {
        let mut last = last;
        while let Some((model, query)) = self.query_after(last, |of, query| of.asked[query] != Asked::AtOnce) {
            let of = &mut self.models[model];
            if of.begin(of.answer.to_check(query), of.uncovered.most) {
                return Step::Recheck { model, query };
            }
            last = Some((model, query));
        }
        self.same(0, false)
    }

    /// Asks about keys that did not come back, among those that are held or those that are busy, unless Rust knows as well as the server
    /// which are equal.
    pub(super) fn same(&mut self, first: usize, busy: bool) -> Step {
        for (model, of) in self.models.iter_mut().enumerate().skip(first) {
            if of.model.rows().is_exact() || of.model.rows().asked() == 0 {
                continue;
            }
            of.number_asked();
            let mut doubtful = of.answer.doubtful(busy);
            // Of the known rows, as many as can be named.
            let most = MOST_PARAMETERS / of.text().key_width();
            doubtful.unknown.truncate(most);
            doubtful.known.truncate(most - doubtful.unknown.len());
            if of.begin([&doubtful.unknown[..], &doubtful.known].concat(), most) {
                self.doubtful = doubtful;
                return Step::Same { model, busy };
            }
        }
        if busy {
            self.models.iter_mut().for_each(ModelInSet::forget_candidates);
            return self.again(None);
        }
        self.absent(0)
    }

    /// Takes the server's ranks of the doubtful keys: those that are the same to it have the same.
    pub(super) fn tell_same(&mut self, model: usize) {
        let ranks = std::mem::take(&mut self.ranks);
        let Doubtful { unknown, known } = std::mem::take(&mut self.doubtful);
        let (keys, rows): (Vec<_>, Vec<_>) = ranks.into_iter().partition(|(place, _)| *place < unknown.len());
        let rows: HashMap<i64, usize> = rows.into_iter().map(|(place, rank)| (rank, place - unknown.len())).collect();
        for (place, rank) in keys {
            if let Some(row) = rows.get(&rank).and_then(|row| known.get(*row)) {
                self.models[model].answer.tell_same(unknown[place], *row);
            }
        }
    }

    /// Looks at what did not come back, if the call does not wait.
    pub(super) fn absent(&mut self, first: usize) -> Step {
        for (model, of) in self.models.iter_mut().enumerate().skip(first) {
            if !of.answer.is_all_found() {
                of.number_asked();
            }
            if self.wait == Wait::SkipLocked && of.begin(of.answer.absent(), CHUNK) {
                return Step::Absent { model };
            }
        }
        self.same(0, true)
    }

    /// Asks a limited query again: rows that it chose may have left it, and others have taken their place.
    pub(super) fn again(&mut self, last: Option<(usize, usize)>) -> Step {
        let again = |of: &ModelInSet<'_>, query: usize| {
            of.choices[query].shape.limited
                && match self.patience {
                    Patience::Block | Patience::Timeout(_) => true,
                    Patience::NoWait => of.answer.has_lost(query),
                    // One more try; what is held by others is left out.
                    Patience::SkipLocked => self.looks == 0 && of.answer.has_lost(query),
                }
        };
        match self.query_after(last, again) {
            Some((model, query)) => {
                // All of them, however many: one that is not named would take a place under the limit again.
                let of = &mut self.models[model];
                of.begin(of.answer.lost(query), usize::MAX);
                Step::Again { model, query }
            }
            None => Step::Done,
        }
    }

    /// The queries have all been asked again: is there anything new to lock?
    pub(super) fn more(&mut self) -> Result<Step> {
        if self.models.iter().all(|model| model.candidates() == 0) {
            return Ok(Step::Done);
        }
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return Err(LockError::Moved { table: self.name.quoted().to_owned() });
        }
        // What is read from here on may be a row that another model has asked for.
        self.models.iter_mut().for_each(ModelInSet::number_asked);
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
    pub(super) fn done(&mut self) -> Result<()> {
        let names = |of: &ModelInSet<'_>| {
            let busy: Vec<_> = of.answer.busy_rows().collect();
            of.model.rows().names(&busy, &self.name)
        };
        let busy: Vec<RowName> = self.models.iter().flat_map(names).collect();
        match self.patience {
            _ if busy.is_empty() => {}
            Patience::NoWait => return Err(LockError::Contended { rows: busy, holders: vec![], source: None }),
            Patience::SkipLocked => {}
            Patience::Block | Patience::Timeout(_) => {
                return Err(LockError::Moved { table: self.name.quoted().to_owned() });
            }
        }
        if self.looks > 0 {
            self.models.iter_mut().for_each(ModelInSet::sort);
        }
        Ok(())
    }
}

/// The ranks of the candidates, which are listed model by model.
fn by_model(mut ranks: Vec<(usize, i64)>, counts: &[usize]) -> Vec<Vec<Rank>> {
    ranks.sort_unstable();
    let mut ranks = ranks.into_iter().map(|(_, rank)| vec![i128::from(rank)]);
    counts.iter().map(|count| ranks.by_ref().take(*count).collect()).collect()
}
