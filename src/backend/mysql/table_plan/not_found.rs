//! The handling of rows that did not come back: each one has an equal key in another spelling, or is busy, or is missing.

use std::collections::HashMap;

use super::{MysqlTable, Stage, model_in_set::ModelInSet, next_step::MOST_PARAMETERS};
use crate::{
    backend::mysql::{answer::UnknownKeys, chunks::CHUNK},
    mode::Wait,
};

impl MysqlTable<'_> {
    /// Returns the stage that asks whether keys that did not come back are keys of locked rows or, with `busy`, of busy rows. Skips models
    /// whose keys Rust compares exactly as the server does.
    pub(super) fn same(&mut self, first: usize, busy: bool) -> Stage {
        for (model, of) in self.models.iter_mut().enumerate().skip(first) {
            if of.model.rows().is_exact() || of.model.rows().asked() == 0 {
                continue;
            }
            of.number_asked();
            let mut doubtful = of.answer.doubtful(!busy || !self.tried.is_empty(), busy);
            // As many of the known rows as a statement has parameters for.
            let most = MOST_PARAMETERS / of.text().key_width();
            doubtful.unknown.truncate(most);
            doubtful.known.truncate(most - doubtful.unknown.len());
            if of.begin([&doubtful.unknown[..], &doubtful.known].concat(), most) {
                self.doubtful = doubtful;
                return Stage::Same { model, busy };
            }
        }
        if busy {
            self.models.iter_mut().for_each(ModelInSet::forget_candidates);
            return self.again(None);
        }
        self.absent(0)
    }

    /// Evaluates the server's ranks of the doubtful keys: a key with the rank of a known row is the key of that row.
    pub(super) fn tell_same(&mut self, model: usize) {
        let ranks = std::mem::take(&mut self.ranks);
        let UnknownKeys { unknown, known } = std::mem::take(&mut self.doubtful);
        let (keys, rows): (Vec<_>, Vec<_>) = ranks.into_iter().partition(|(place, _)| *place < unknown.len());
        let rows: HashMap<i64, usize> = rows.into_iter().map(|(place, rank)| (rank, place - unknown.len())).collect();
        for (place, rank) in keys {
            if let Some(row) = rows.get(&rank).and_then(|row| known.get(*row)) {
                self.models[model].answer.tell_same(unknown[place], *row);
            }
        }
    }

    /// Returns the stage that looks for the rows that did not come back, if the call does not wait.
    pub(super) fn absent(&mut self, first: usize) -> Stage {
        for (model, of) in self.models.iter_mut().enumerate().skip(first) {
            if !of.answer.is_all_found() {
                of.number_asked();
            }
            if self.wait == Wait::SkipLocked && of.begin(of.answer.absent(), CHUNK) {
                return Stage::Absent { model };
            }
        }
        self.same(0, true)
    }

    /// Starts to lock the rows that did not come back, without waiting. This replaces a plain read where that would show the state at the
    /// beginning of the transaction.
    pub(super) fn try_all(&mut self, model: usize) -> Stage {
        let absent = self.models[model].answer.absent();
        self.tries = absent.chunks(self.uncovered.most).map(<[_]>::to_vec).collect();
        self.try_next(model)
    }

    /// Returns the stage that tries the next list.
    pub(super) fn try_next(&mut self, model: usize) -> Stage {
        let Some(rows) = self.tries.pop() else { return self.absent(model + 1) };
        self.models.iter_mut().for_each(ModelInSet::list_none);
        self.models[model].list_rows(&rows);
        self.tried = rows;
        Stage::Try { model }
    }

    /// Handles a busy row in the list that was tried: a single row is marked as busy, a longer list is tried again in two halves.
    pub(super) fn try_halves(&mut self, model: usize) -> Stage {
        if let [busy] = self.tried[..] {
            self.models[model].answer.busy(busy);
        } else {
            let (first, second) = self.tried.split_at(self.tried.len() / 2);
            self.tries.extend([second.to_vec(), first.to_vec()]);
        }
        self.try_next(model)
    }
}
