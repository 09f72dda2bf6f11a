//! What a pick sends: one statement, or, if the query's conditions are not all about the row itself, one that locks and one that
//! looks again.

use std::collections::HashSet;

use diesel::{pg::Pg, query_builder::QueryFragment, result::QueryResult};

use super::{
    of_target::check_first,
    pick_reader::{ClaimedReader, LookReader, PickedReader},
    pick_recheck::{Change, Look},
    single_pick::{Claim, Pick},
    sql_cache::{Remembered, TextKey},
    table_plan::two_rows_of_one_key,
};
use crate::{
    backend::{PickPlan, Picking, Step},
    diesel_internals::Statement,
    error::{LockError, Result},
    mode::Strength,
    sql::{Answer, AnySelect, Columns, Keys, Model, Named, QueryText, RowId, TableName},
};

/// Conditions that are true at random could ask for looks for ever.
const MOST_LOOKS: usize = 100;

/// PostgreSQL's conversation about a pick.
///
/// Before it locks a row that has changed, PostgreSQL evaluates the query's conditions on it again, but subqueries as of the
/// statement's beginning: what `id IN (SELECT ..)` chose then is returned although it was taken and finished meanwhile. So a pick
/// by such a query asks once more when the rows are locked.
#[doc(hidden)]
#[derive(Debug)]
pub struct PgPick {
    table: TableName,
    strength: Strength,
    limit: i64,
    claims: bool,
    /// Their text.
    changes: Option<String>,
    looks_again: bool,
    stage: Stage,
    /// The rows that the last statement found, and their keys for the next.
    found: Vec<RowId>,
    held: Option<Box<dyn Keys<Pg>>>,
    /// How many it found that do not match any more.
    left: usize,
    looks: usize,
    /// How many rows the statement that changes them was about.
    picked: usize,
    /// Where each claimed row stands in the order of the query.
    places: Option<Vec<i64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Take,
    Look,
    Change,
    Done,
}

impl PickPlan<Pg> for PgPick {
    fn new(
        _query: &dyn AnySelect<Pg>,
        text: &QueryText,
        _: &mut dyn Model<Pg>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self> {
        let Picking { table, strength, limit } = pick;
        if text.joins {
            check_first(&text.from, table)?;
        }
        let (looks_again, claims) = (!text.own, changes.is_some());
        let (table, limit, places) = (table.clone(), *limit, claims.then(Vec::new));
        Ok(PgPick {
            table,
            strength,
            limit,
            claims,
            changes,
            looks_again,
            stage: Stage::Take,
            found: Vec::new(),
            held: None,
            left: 0,
            looks: 0,
            picked: 0,
            places,
        })
    }

    fn claims_in_steps(&self) -> bool {
        self.claims && self.looks_again
    }

    fn next_step<'e>(
        &'e mut self,
        query: &'e dyn AnySelect<Pg>,
        model: &'e mut dyn Model<Pg>,
        changes: Option<&'e dyn QueryFragment<Pg>>,
    ) -> Option<Step<'e, Pg>> {
        let PgPick {
            table,
            strength,
            limit,
            changes: written,
            looks_again,
            stage,
            found,
            held,
            left,
            picked,
            places,
            ..
        } = self;
        if *stage == Stage::Done {
            return None;
        }
        found.clear();
        *left = 0;
        let (text, rows) = model.sides();
        let (width, pick) = (text.width(), Picking { table, strength: *strength, limit });
        let held = held.as_deref();
        let at_once = changes.filter(|_| !*looks_again);
        Some(match *stage {
            Stage::Done => return None,
            Stage::Take => {
                let key = TextKey::new(query, Some(text), &pick);
                let statement = match at_once {
                    Some(changes) => {
                        let key = key.and_then(|key| key.with(changes, written.take()));
                        Statement::new(Remembered { key, statement: Named(Claim { query, text, changes, pick }) })
                    }
                    None => {
                        Statement::new(Remembered { key, statement: Pick { query, columns: Columns::Of(text), pick } })
                    }
                };
                if at_once.is_some() {
                    let places = places.as_mut()?;
                    return Some(Step::new(statement, ClaimedReader { rows, width, found, picked, places }));
                }
                Step::new(statement, PickedReader { rows, width, found, places: None })
            }
            Stage::Look => {
                let statement = Statement::new(Named(Look { query, text, held: held? }));
                Step::new(statement, LookReader { rows, width, found, left })
            }
            Stage::Change => {
                let statement = Statement::new(Named(Change { text, held: held?, changes: changes? }));
                Step::new(statement, PickedReader { rows, width, found, places: places.as_mut() })
            }
        })
    }

    fn step_done(&mut self, model: &mut dyn Model<Pg>) -> Result<()> {
        let twice = |found: &[RowId]| {
            let mut seen = HashSet::new();
            !found.iter().all(|row| seen.insert(*row))
        };
        if self.stage == Stage::Look && twice(&self.found) {
            return Err(two_rows_of_one_key());
        }
        // Some of several are an answer: in autocommit their change is committed.
        if self.found.is_empty() && self.picked > 0 {
            return Err(refused_changes());
        }
        let next = match self.stage {
            Stage::Take if self.looks_again && !self.found.is_empty() => Stage::Look,
            // With what is true now. What it holds is free to it.
            Stage::Look if self.left > 0 && self.looks < MOST_LOOKS => Stage::Take,
            Stage::Look if self.claims && !self.found.is_empty() => Stage::Change,
            Stage::Take | Stage::Look | Stage::Change | Stage::Done => Stage::Done,
        };
        if next != Stage::Done {
            // A row that comes again is the same row.
            model.sides().1.number_asked();
            self.held = Some(model.rows().keys(&self.found));
            self.picked = if next == Stage::Change { self.found.len() } else { 0 };
        }
        self.looks += usize::from(self.stage == Stage::Look);
        self.stage = next;
        Ok(())
    }

    fn answer(&mut self) -> Answer {
        let rows = self.looks_again.then(|| std::mem::take(&mut self.found));
        Answer { rows, ..Answer::default() }
    }

    fn arrange<T>(self, rows: Vec<T>) -> Vec<T> {
        let Some(places) = self.places else { return rows };
        let mut rows: Vec<_> = places.into_iter().zip(rows).collect();
        rows.sort_by_key(|(place, _)| *place);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// A pick that selects what the query selects by itself.
pub(super) fn pick_selected<'q>(query: &'q dyn AnySelect<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
    let key = TextKey::new(query, None, &pick);
    Statement::new(Remembered { key, statement: Pick { query, columns: Columns::Own, pick } })
}

/// A trigger may keep rows from being changed, and tells nobody: whoever claims would get nothing, for ever.
fn refused_changes() -> LockError {
    let advice = "a trigger of the table has kept every row that was picked from being changed, and they would be picked again and again: \
                  leave them out in the query, or have the trigger raise an error";
    LockError::Unsupported { clause: "rows that a trigger does not let be changed", advice }
}
