//! What a pick sends: one statement, or, if the query's conditions are not all about the row itself, one that locks and one that
//! looks again.

use std::collections::HashSet;

use diesel::{pg::Pg, query_builder::QueryFragment, result::QueryResult};

use super::{
    dialogue::two_rows_of_one_key,
    pick_again::{Change, Look},
    pick_at_once::{Claim, Pick},
    pick_reader::{ClaimedReader, LookReader, PickedReader},
    sources::check_first,
    text::{Remembered, TextKey},
};
use crate::{
    backend::{Exchange, PickDialogue, Picking},
    diesel_internals::Statement,
    error::{LockError, Result},
    mode::Strength,
    sql::{Answer, Choice, Columns, Keys, Model, Named, QueryText, RowId, TableName},
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
    step: Step,
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
enum Step {
    Take,
    Look,
    Change,
    Done,
}

impl PickDialogue<Pg> for PgPick {
    fn new(
        _query: &dyn Choice<Pg>,
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
            step: Step::Take,
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

    fn exchange<'e>(
        &'e mut self,
        query: &'e dyn Choice<Pg>,
        model: &'e mut dyn Model<Pg>,
        changes: Option<&'e dyn QueryFragment<Pg>>,
    ) -> Option<Exchange<'e, Pg>> {
        let PgPick {
            table,
            strength,
            limit,
            changes: written,
            looks_again,
            step,
            found,
            held,
            left,
            picked,
            places,
            ..
        } = self;
        if *step == Step::Done {
            return None;
        }
        found.clear();
        *left = 0;
        let (text, rows) = model.sides();
        let (width, pick) = (text.width(), Picking { table, strength: *strength, limit });
        let held = held.as_deref();
        let at_once = changes.filter(|_| !*looks_again);
        Some(match *step {
            Step::Done => return None,
            Step::Take => {
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
                    return Some(Exchange::new(statement, ClaimedReader { rows, width, found, picked, places }));
                }
                Exchange::new(statement, PickedReader { rows, width, found, places: None })
            }
            Step::Look => {
                let statement = Statement::new(Named(Look { query, text, held: held? }));
                Exchange::new(statement, LookReader { rows, width, found, left })
            }
            Step::Change => {
                let statement = Statement::new(Named(Change { text, held: held?, changes: changes? }));
                Exchange::new(statement, PickedReader { rows, width, found, places: places.as_mut() })
            }
        })
    }

    fn end_of_rows(&mut self, model: &mut dyn Model<Pg>) -> Result<()> {
        let twice = |found: &[RowId]| {
            let mut seen = HashSet::new();
            !found.iter().all(|row| seen.insert(*row))
        };
        if self.step == Step::Look && twice(&self.found) {
            return Err(two_rows_of_one_key());
        }
        // Some of several are an answer: in autocommit their change is committed.
        if self.found.is_empty() && self.picked > 0 {
            return Err(refused_changes());
        }
        let next = match self.step {
            Step::Take if self.looks_again && !self.found.is_empty() => Step::Look,
            // With what is true now. What it holds is free to it.
            Step::Look if self.left > 0 && self.looks < MOST_LOOKS => Step::Take,
            Step::Look if self.claims && !self.found.is_empty() => Step::Change,
            Step::Take | Step::Look | Step::Change | Step::Done => Step::Done,
        };
        if next != Step::Done {
            // A row that comes again is the same row.
            model.sides().1.number_asked();
            self.held = Some(model.rows().keys(&self.found));
            self.picked = if next == Step::Change { self.found.len() } else { 0 };
        }
        self.looks += usize::from(self.step == Step::Look);
        self.step = next;
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
pub(super) fn pick_selected<'q>(query: &'q dyn Choice<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
    let key = TextKey::new(query, None, &pick);
    Statement::new(Remembered { key, statement: Pick { query, columns: Columns::Own, pick } })
}

/// A trigger may keep rows from being changed, and tells nobody: whoever claims would get nothing, for ever.
fn refused_changes() -> LockError {
    let advice = "a trigger of the table has kept every row that was picked from being changed, and they would be picked again and again: \
                  leave them out in the query, or have the trigger raise an error";
    LockError::Unsupported { clause: "rows that a trigger does not let be changed", advice }
}
