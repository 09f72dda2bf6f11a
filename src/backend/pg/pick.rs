//! The plan of a pick or a claim.
//!
//! It is one statement if the query's conditions are all about the row itself. Otherwise one statement locks and a second rechecks.

use std::collections::HashSet;

use diesel::{pg::Pg, query_builder::QueryFragment, result::QueryResult};

use super::{
    of_target::check_first,
    pick_reader::{ClaimedReader, LookReader, PickedReader},
    pick_recheck::{Change, Look},
    single_pick::{Claim, Pick, is_written_out},
    table_plan::two_rows_of_one_key,
};
use crate::{
    backend::{PickPlan, Picking, Step},
    diesel_internals::Statement,
    error::{LockError, Result},
    mode::{Strength, Wait},
    sql::{
        Answer, AnySelect, Columns, Keys, LockClause, Model, ModelText, Named, QueryText, Remembered, RowId, TableName,
        TextKey,
    },
};

/// The maximum number of rechecks. Conditions that are true at random could otherwise cause endless rechecks.
const MOST_LOOKS: usize = 100;

/// PostgreSQL's plan for a pick.
///
/// Before PostgreSQL locks a row that has changed, it evaluates the query's conditions on it again, but subqueries as of the beginning of
/// the statement. So a row that `id IN (SELECT ..)` chose at that time is returned although another session has taken and finished it in
/// between. A pick by such a query therefore rechecks its rows after they are locked.
#[doc(hidden)]
#[derive(Debug)]
pub struct PgPick {
    table: TableName,
    strength: Strength,
    limit: i64,
    claims: bool,
    /// The text of a claim's changes, for the text cache.
    changes: Option<String>,
    looks_again: bool,
    stage: Stage,
    /// The rows that the last statement found.
    found: Vec<RowId>,
    /// The keys of the found rows, for the next statement.
    held: Option<Box<dyn Keys<Pg>>>,
    /// The number of rows found by the last statement that no longer match.
    left: usize,
    looks: usize,
    /// The number of rows that the changing statement was to change.
    picked: usize,
    /// The position of each claimed row in the order of the query.
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
                let key = text_key(query, Some(text), &pick);
                let statement = match at_once {
                    Some(changes) => {
                        let key = key.and_then(|key| key.with(changes, written.take()));
                        Statement::new(Remembered {
                            key,
                            model: Some(text),
                            statement: Named(Claim { query, text, changes, pick }),
                        })
                    }
                    None => Statement::new(Remembered {
                        key,
                        model: Some(text),
                        statement: Pick { query, columns: Columns::Of(text), pick },
                    }),
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
        // Some of several rows are a valid answer: in autocommit their change is already committed.
        if self.found.is_empty() && self.picked > 0 {
            return Err(LockError::refused_changes());
        }
        let next = match self.stage {
            Stage::Take if self.looks_again && !self.found.is_empty() => Stage::Look,
            // Picks again, with the conditions as they are now. The rows that this session has locked are free to it.
            Stage::Look if self.left > 0 && self.looks < MOST_LOOKS => Stage::Take,
            Stage::Look if self.claims && !self.found.is_empty() => Stage::Change,
            Stage::Take | Stage::Look | Stage::Change | Stage::Done => Stage::Done,
        };
        if next != Stage::Done {
            // From here on a row that is read again keeps its number.
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

/// Returns the key of the text of a pick.
fn text_key(query: &dyn AnySelect<Pg>, model: Option<&dyn ModelText<Pg>>, pick: &Picking<'_>) -> Option<TextKey> {
    let clause = LockClause { table: pick.table.clone(), strength: pick.strength, wait: Wait::SkipLocked };
    TextKey::of_pick(query, model, clause, Some(*pick.limit).filter(|limit| is_written_out(*limit)))
}

/// Returns the statement of a pick that loads the query's own select list.
pub(super) fn pick_selected<'q>(query: &'q dyn AnySelect<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
    let key = text_key(query, None, &pick);
    Statement::new(Remembered { key, model: None, statement: Pick { query, columns: Columns::Own, pick } })
}
