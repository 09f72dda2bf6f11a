//! The plan for a pick or a claim. It locks the first free candidate rows, and looks at more candidates if those were not enough. For a
//! claim, it then changes the rows and reads them again.

use diesel::{
    mysql::Mysql,
    query_builder::QueryFragment,
    result::{Error as DieselError, QueryResult},
};

use super::{
    answer::ModelAnswer,
    control::is_not_open,
    covering_index::Uncovered,
    empty_read::EmptyRead,
    fragments::{Asked, READ_AND_LOCK},
    free_rows::{Change, Count, FreeRows},
    key_check::KeyCheck,
    level_guard::{Refused, of_serializable},
    listed::Listed,
    lock_rows::{LockModel, LockRows},
    reader::{Counter, NumberReader, Picked, PickedReader, Status},
    resolve::Recheck,
};
use crate::{
    backend::{PickPlan, Picking, Response, Step},
    diesel_internals::Statement,
    error::{LockError, Result},
    mode::{Strength, Wait},
    sql::{
        Answer, AnySelect, LockClause, Model, ModelRows, Named, QueryText, Remembered, RowId, Shape, TableName, TextKey,
    },
};

/// The plan for a pick or a claim on MySQL and MariaDB.
#[doc(hidden)]
#[derive(Debug)]
pub struct MysqlPick {
    table: TableName,
    strength: Strength,
    limit: i64,
    claims: bool,
    shape: Shape,
    asked: Asked,
    uncovered: Uncovered,
    fitness: KeyCheck,
    answer: ModelAnswer,
    /// The keys that the next statement is about or, for `Stage::Free`, leaves out.
    now: Listed,
    stage: Stage,
    /// The number of candidate rows to look at.
    candidates: i64,
    /// The number of candidate rows when they were last counted.
    counted: i64,
    /// True if the count before the last look was smaller than the number of candidate rows that this look could take in.
    all_seen: bool,
    /// The number of changed rows that the server has reported.
    changed: usize,
    /// The database in which the rows of a claim are locked.
    database: String,
    empty: EmptyRead,
}

/// A stage of the plan. Each stage but `Done` sends one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Locks free candidate rows.
    Free,
    /// Asks whether the rows of the table can be locked.
    Ask,
    /// Has the session remember that the rows can be locked.
    Remember,
    /// Rechecks which of the locked rows match the query.
    Recheck,
    /// Counts the candidate rows.
    Count,
    /// Changes the locked rows, for a claim.
    Change,
    /// Reads the changed rows again.
    Reload,
    Done,
}

impl PickPlan<Mysql> for MysqlPick {
    fn new(
        query: &dyn AnySelect<Mysql>,
        text: &QueryText,
        model: &mut dyn Model<Mysql>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self> {
        let shape = query.shape()?;
        let (text_of_model, rows) = model.sides();
        let (table, strength, limit) = (pick.table.clone(), pick.strength, *pick.limit);
        let (fitness, uncovered) = (KeyCheck::of(&table, text_of_model)?, Uncovered::of(text_of_model)?);
        let asked = Asked::of(text);
        if asked != Asked::AtOnce {
            // A join may repeat a row, so rows are told apart by their keys.
            rows.number_asked();
        }
        // More than the limit, since other workers may hold the first ones.
        let candidates = limit.saturating_mul(2).saturating_add(62);
        let stage = if limit > 0 { Stage::Free } else { Stage::Done };
        Ok(MysqlPick {
            table,
            strength,
            limit,
            claims: changes.is_some(),
            shape,
            asked,
            uncovered,
            fitness,
            answer: ModelAnswer::new(0, std::iter::once(false)),
            now: Listed::default(),
            stage,
            candidates,
            counted: 0,
            all_seen: false,
            changed: 0,
            database: String::new(),
            empty: EmptyRead::default(),
        })
    }

    fn claims_in_steps(&self) -> bool {
        self.claims
    }

    fn next_step<'e>(
        &'e mut self,
        query: &'e dyn AnySelect<Mysql>,
        model: &'e mut dyn Model<Mysql>,
        changes: Option<&'e dyn QueryFragment<Mysql>>,
    ) -> Option<Step<'e, Mysql>> {
        let MysqlPick {
            table,
            strength,
            limit,
            shape,
            asked,
            uncovered,
            fitness,
            answer,
            now,
            stage,
            candidates,
            counted,
            changed,
            claims,
            database,
            empty,
            ..
        } = self;
        let (text, rows) = model.sides();
        let (asking, asked, strength) = ((query, *shape), *asked, *strength);
        Some(match stage {
            Stage::Done => return None,
            Stage::Free => {
                let pick = Picking { table, strength, limit };
                let (candidates, without) = (*candidates, now.keys());
                let clause = LockClause { table: table.clone(), strength, wait: Wait::SkipLocked };
                let key = match without {
                    // The list of the rows to leave out is part of the text.
                    Some(_) => None,
                    None => TextKey::of_pick(query, Some(text), clause, None)
                        .map(|key| if *claims { key.of_claim() } else { key }),
                };
                let statement =
                    Named(FreeRows { query, text, asked, without, pick, candidates, fitness, claims: *claims });
                let statement = Remembered { key, model: Some(text), statement };
                let matches = asked == Asked::AtOnce;
                let (width, status) = (text.width(), Picked::Free { matches });
                let reader = PickedReader { rows, answer, width, status, database: claims.then_some(database) };
                Step::new(Statement::new(statement).behind(READ_AND_LOCK), reader)
            }
            Stage::Ask => fitness.ask(),
            Stage::Remember => fitness.remember(),
            Stage::Recheck => {
                let held = now.keys()?;
                let statement = Recheck { text, held, asking, asked, strength, uncovered }.statement();
                let (width, status, empty) = (text.width(), Status::Matches(0), Some(empty.begin()));
                let reader = NumberReader { rows, answer, width, status, empty };
                Step::new(statement, reader)
            }
            Stage::Count => {
                *counted = 0;
                Step::new(Statement::new(Count { query, candidates: *candidates }), Counter(counted))
            }
            Stage::Change => Step {
                statement: Statement::new(Change { text, held: now.keys()?, changes: changes?, database }),
                answer: Response::Changed(changed),
            },
            Stage::Reload => {
                let only = LockModel { text, now: now.keys(), asked: None, at_once: vec![] };
                let statement = LockRows {
                    models: vec![only],
                    lock: Some((strength, Wait::Block)),
                    mixed: false,
                    uncovered: Some(uncovered),
                    fitness: Some(fitness),
                    database: Some(database),
                };
                let reader =
                    PickedReader { rows, answer, width: text.width(), status: Picked::Changed, database: None };
                Step::new(statement.statement(), reader)
            }
        })
    }

    fn step_done(&mut self, model: &mut dyn Model<Mysql>) -> Result<()> {
        if self.empty.is_doubtful() {
            return Ok(());
        }
        let (_, rows) = model.sides();
        let (most, stage) = (self.uncovered.most, self.stage);
        self.stage = match stage {
            Stage::Done => Stage::Done,
            Stage::Ask if self.fitness.judge()? => Stage::Remember,
            Stage::Ask => Stage::Ask,
            Stage::Remember => Stage::Free,
            Stage::Free if self.asked != Asked::AtOnce && self.begin(self.answer.held_once(), rows) => Stage::Recheck,
            Stage::Free => self.enough(rows),
            Stage::Recheck if self.now.next(rows, most) => Stage::Recheck,
            // Other rows among the same candidates may be free, in place of those that have left the query.
            Stage::Recheck if self.answer.drop_unmatched() => self.anew(rows),
            Stage::Recheck => self.enough(rows),
            Stage::Count if self.is_all() => self.picked(rows),
            Stage::Count => {
                self.all_seen = self.counted < self.candidates;
                if !self.all_seen {
                    self.candidates = self.candidates.saturating_mul(8);
                }
                self.anew(rows)
            }
            Stage::Change if self.now.next(rows, most) => Stage::Change,
            Stage::Change if self.begin(self.answer.held_once(), rows) => Stage::Reload,
            Stage::Reload if self.now.next(rows, most) => Stage::Reload,
            // MariaDB 11.8 answers some statements that were cancelled as if they had found no row. Rows that were not changed must not be
            // returned as claimed.
            Stage::Reload if self.changed < self.answer.held_once().len() => return Err(DieselError::NotFound.into()),
            Stage::Reload if !self.answer.is_all_changed() => return Err(LockError::changed_key()),
            Stage::Change | Stage::Reload => Stage::Done,
        };
        Ok(())
    }

    fn recover(&mut self, error: LockError) -> Result<()> {
        self.stage = match self.stage {
            Stage::Free if self.fitness.must_ask(&error) => Stage::Ask,
            Stage::Free if Refused::Serializable.is_of(&error) => return Err(of_serializable()),
            Stage::Change if matches!(&error, LockError::Query(source) if is_not_open(source)) => {
                return Err(LockError::rolled_back_by_cluster());
            }
            _ => return Err(error),
        };
        Ok(())
    }

    fn answer(&mut self) -> Answer {
        std::mem::take(&mut self.answer).picks()
    }

    fn arrange<T>(self, rows: Vec<T>) -> Vec<T> {
        rows
    }
}

impl MysqlPick {
    /// Lists the keys of the first of these rows. Returns whether there are any.
    fn begin(&mut self, of: Vec<RowId>, rows: &dyn ModelRows<Mysql>) -> bool {
        self.now.begin(of, rows, self.uncovered.most)
    }

    /// Returns the stage after a look: a count of the candidates if rows are still missing, else the end of the pick.
    fn enough(&mut self, rows: &mut dyn ModelRows<Mysql>) -> Stage {
        if self.count() < self.limit { Stage::Count } else { self.picked(rows) }
    }

    /// Returns the number of picked rows.
    fn count(&self) -> i64 {
        i64::try_from(self.answer.held().len()).unwrap_or(i64::MAX)
    }

    /// Returns whether no row is left to pick besides those that were picked.
    ///
    /// Under READ COMMITTED, other sessions may have committed between the look and the count, and all rows that the look took in may have
    /// been theirs. So a small count is only believed around a look: one before it and one after.
    fn is_all(&self) -> bool {
        self.counted <= self.count() || (self.all_seen && self.counted < self.candidates)
    }

    /// Returns the stage after the pick: the change of the picked rows for a claim, else the end.
    fn picked(&mut self, rows: &mut dyn ModelRows<Mysql>) -> Stage {
        if !self.claims {
            return Stage::Done;
        }
        // The rows are read again after the change, so they are told apart by their keys.
        rows.number_asked();
        if self.begin(self.answer.held_once(), rows) { Stage::Change } else { Stage::Done }
    }

    /// Starts the pick again, without the rows that turned out not to match. All of them are left out, since one that is not would be
    /// picked for ever.
    fn anew(&mut self, rows: &mut dyn ModelRows<Mysql>) -> Stage {
        rows.number_asked();
        self.now.begin(self.answer.lost(0), rows, usize::MAX);
        self.answer.pick_anew();
        Stage::Free
    }
}
