//! The transitions of the plan for one table: the next stage, after the rows of a statement were read.

use super::{MOST_LOOKS, MysqlTable, Stage, model_in_set::ModelInSet};
use crate::{
    backend::mysql::{chunks::Chunks, fragments::Asked},
    error::{LockError, Result, RowName},
    mode::{Wait, WaitPolicy},
    sql::Rank,
};

/// The largest number of bind parameters in one statement.
pub(super) const MOST_PARAMETERS: usize = 65_535;

impl MysqlTable<'_> {
    /// Returns the first query after `last` that `suits` accepts.
    pub(super) fn query_after(
        &self,
        last: Option<(usize, usize)>,
        suits: impl Fn(&ModelInSet<'_>, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let all = self.models.iter().enumerate();
        let all = all.flat_map(|(model, of)| (0..of.choices.len()).map(move |query| (model, query)));
        all.filter(|query| Some(*query) > last).find(|&(model, query)| suits(&self.models[model], query))
    }

    /// Divides the candidate rows into chunks in the order of their keys, and returns the stage that locks the first chunk. Returns
    /// [`Stage::Sort`] if only the server knows the order.
    pub(super) fn plan(&mut self) -> Result<Stage> {
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
            return Ok(Stage::Sort);
        } else {
            Chunks::by_rank(by_model(std::mem::take(&mut self.ranks), &counts), most)
        };
        Ok(self.lock(0))
    }

    /// Returns the stage that locks the chunk, or the stage that follows the last chunk.
    pub(super) fn lock(&mut self, chunk: usize) -> Stage {
        if chunk == self.chunks.count() {
            return self.recheck(None);
        }
        for (i, model) in self.models.iter_mut().enumerate() {
            model.list(&self.chunks.places(chunk, i));
        }
        Stage::Lock { chunk }
    }

    /// Returns the stage that rechecks the next query that the locking statement could not evaluate.
    pub(super) fn recheck(&mut self, last: Option<(usize, usize)>) -> Stage {
        let mut last = last;
        // A limited query is read again as a whole, and that shows which locked rows match it.
        let asks = |of: &ModelInSet<'_>, query: usize| match of.asked[query] {
            Asked::AtOnce => false,
            Asked::Beside => true,
            Asked::Anew => !of.choices[query].shape.limited,
        };
        while let Some((model, query)) = self.query_after(last, asks) {
            let of = &mut self.models[model];
            if of.begin(of.answer.to_check(query), of.uncovered.most) {
                return Stage::Recheck { model, query };
            }
            last = Some((model, query));
        }
        self.same(0, false)
    }

    /// Returns the stage that reads the next limited query once more. Rows that it chose may have left it, and other rows may have taken
    /// their place.
    pub(super) fn again(&mut self, last: Option<(usize, usize)>) -> Stage {
        let again = |of: &ModelInSet<'_>, query: usize| {
            let anew = of.asked[query] == Asked::Anew;
            of.choices[query].shape.limited
                && match self.wait_policy {
                    WaitPolicy::Block | WaitPolicy::Timeout(_) => true,
                    WaitPolicy::NoWait => anew || of.answer.has_lost(query),
                    // Only one more try. Rows that other sessions hold are left out.
                    WaitPolicy::SkipLocked => anew || (self.looks == 0 && of.answer.has_lost(query)),
                }
        };
        match self.query_after(last, again) {
            Some((model, query)) => {
                // All of them are left out, however many. A lost row that is not named would take a place under the limit again.
                let of = &mut self.models[model];
                of.begin(of.answer.lost(query), usize::MAX);
                Stage::Again { model, query }
            }
            None => Stage::Done,
        }
    }

    /// Returns the stage that locks the rows that the limited queries have chosen since, or [`Stage::Done`] if there are none.
    pub(super) fn more(&mut self) -> Result<Stage> {
        let tried = self.wait_policy == WaitPolicy::SkipLocked && self.looks > 0;
        if tried || self.models.iter().all(|model| model.candidates() == 0) {
            return Ok(Stage::Done);
        }
        self.looks += 1;
        self.late = true;
        if self.looks > MOST_LOOKS {
            return Err(LockError::LimitedRowsChanged { table: self.name.quoted().to_owned() });
        }
        // A row that is read from here on may be one that another model has requested.
        self.models.iter_mut().for_each(ModelInSet::number_asked);
        // The ordered pass is over. A row that was waited for and has left (deleted, or under another key) may still be locked by this
        // session, and nothing reports its place in the order. So the plan waits for no further row. `SKIP LOCKED` is not enough on
        // MariaDB: the statement joins the queue for the row and leaves it at once, and a session that searches for a deadlock at that
        // moment finds one.
        self.wait = match self.wait_policy.wait() {
            Wait::Block => Wait::Fail,
            wait => wait,
        };
        self.plan()
    }

    /// Moves on to [`Stage::Order`] when nothing is left to lock and some rows were locked late.
    pub(super) fn put_in_order(&mut self) {
        if self.stage == Stage::Done && self.late {
            self.stage = self.order(0);
        }
    }

    /// Returns the stage that asks the server for the order of the next rows whose order Rust does not know.
    pub(super) fn order(&mut self, first: usize) -> Stage {
        for (model, of) in self.models.iter_mut().enumerate().skip(first) {
            let held = of.answer.held().to_vec();
            let fits = held.len() * of.text().key_width() <= MOST_PARAMETERS;
            if !of.model.rows().is_exact() && held.len() > 1 && fits && of.begin(held, usize::MAX) {
                return Stage::Order { model };
            }
        }
        Stage::Done
    }

    /// Ends the plan when no more rows will be locked. Fails if a row is busy and the wait policy does not skip it. Puts rows that were
    /// locked late in their place.
    pub(super) fn done(&mut self) -> Result<()> {
        let names = |of: &ModelInSet<'_>| {
            let busy: Vec<_> = of.answer.busy_rows().collect();
            of.model.rows().names(&busy, &self.name)
        };
        let busy: Vec<RowName> = self.models.iter().flat_map(names).collect();
        match self.wait_policy {
            _ if busy.is_empty() => {}
            WaitPolicy::NoWait => return Err(LockError::Contended { rows: busy, holders: vec![], source: None }),
            WaitPolicy::SkipLocked => {}
            WaitPolicy::Block | WaitPolicy::Timeout(_) => {
                return Err(LockError::LimitedRowsChanged { table: self.name.quoted().to_owned() });
            }
        }
        if self.late {
            self.models.iter_mut().for_each(ModelInSet::sort);
        }
        Ok(())
    }
}

/// Splits the ranks of the candidate rows, which are listed model by model, into one list for each model.
fn by_model(mut ranks: Vec<(usize, i64)>, counts: &[usize]) -> Vec<Vec<Rank>> {
    ranks.sort_unstable();
    let mut ranks = ranks.into_iter().map(|(_, rank)| Rank::One(rank.into()));
    counts.iter().map(|count| ranks.by_ref().take(*count).collect()).collect()
}
