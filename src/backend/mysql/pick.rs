//! What a pick sends, in which order: lock the first free candidates; go on to more of them if those were not enough; for a
//! claim, change them and read them again.

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::QueryFragment,
    result::{Error as DieselError, QueryResult},
    row::Row,
    sql_types::BigInt,
};

use super::{
    cover::Uncovered,
    fitness::Fitness,
    free_rows::{Change, Count, FreeRows},
    lock_rows::{LockPart, LockRows, Recheck},
    reader::SeenReader,
    words::Asked,
};
use crate::{
    backend::{Answer, Exchange, PickDialogue, Picking, Reader},
    diesel_internals::{RowRef, Statement},
    error::{LockError, Result},
    mode::{Strength, Wait},
    sql::{Choice, Named, Part, Pending, QueryText, Seen, Shape, TableName},
};

/// The family's conversation about a pick.
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
    fitness: Fitness,
    step: Step,
    /// How many candidates are looked at.
    candidates: i64,
    /// How many there were when they were last counted.
    counted: i64,
    /// The count before the last look said that there were fewer than that look could take in.
    all_seen: bool,
    /// How many rows the server says to have changed.
    changed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Free,
    /// Can the rows be locked?
    Ask,
    /// They can; to be remembered by the session.
    Remember,
    Recheck,
    Count,
    Change,
    Reload,
    Done,
}

impl PickDialogue<Mysql> for MysqlPick {
    fn new(
        query: &dyn Choice<Mysql>,
        text: &QueryText,
        part: &mut dyn Part<Mysql>,
        pick: Picking<'_>,
        changes: Option<String>,
    ) -> QueryResult<Self> {
        let shape = query.shape()?;
        part.prepare();
        part.begin(&[shape]);
        let (table, strength, limit) = (pick.table.clone(), pick.strength, *pick.limit);
        let fitness = Fitness::of(&table, part.wanted())?;
        let asked = Asked::of((query, shape), text, &table)?;
        // Other workers hold the first ones.
        let candidates = limit.saturating_mul(2).saturating_add(62);
        let step = if limit > 0 { Step::Free } else { Step::Done };
        Ok(MysqlPick {
            table,
            strength,
            limit,
            claims: changes.is_some(),
            shape,
            asked,
            uncovered: Uncovered::of(part.wanted())?,
            fitness,
            step,
            candidates,
            counted: 0,
            all_seen: false,
            changed: 0,
        })
    }

    fn claims_in_steps(&self) -> bool {
        self.claims
    }

    fn exchange<'e>(
        &'e mut self,
        query: &'e dyn Choice<Mysql>,
        part: &'e mut dyn Part<Mysql>,
        changes: Option<&'e dyn QueryFragment<Mysql>>,
    ) -> Option<Exchange<'e, Mysql>> {
        let MysqlPick {
            table,
            strength,
            limit,
            shape,
            asked,
            uncovered,
            fitness,
            step,
            candidates,
            counted,
            changed,
            ..
        } = self;
        let (wanted, resolved) = part.keyed_sides()?;
        let width = wanted.width();
        let asking = (query, *shape);
        Some(match step {
            Step::Done => return None,
            Step::Free => {
                let pick = Picking { table, strength: *strength, limit };
                let statement =
                    Named(FreeRows { asking, wanted, asked: *asked, pick, candidates: *candidates, fitness });
                let seen = Seen::Picked { matches: *asked == Asked::AtOnce };
                Exchange::new(Statement::new(statement), SeenReader { resolved, width, seen })
            }
            Step::Ask => fitness.ask(),
            Step::Remember => fitness.remember(),
            Step::Recheck => {
                let statement =
                    Named(Recheck { name: table, wanted, asking, strength: *strength, asked: *asked, uncovered });
                Exchange::new(Statement::new(statement), SeenReader { resolved, width, seen: Seen::Matches(0) })
            }
            Step::Count => {
                *counted = 0;
                Exchange::new(Statement::new(Count { query, candidates: *candidates }), Counter(counted))
            }
            Step::Change => Exchange {
                statement: Statement::new(Change { wanted, changes: changes? }),
                answer: Answer::Changed(changed),
            },
            Step::Reload => {
                let only = LockPart { wanted, at_once: Vec::new() };
                let statement = LockRows {
                    parts: vec![only],
                    lock: Some((*strength, Wait::Block)),
                    mixed: false,
                    uncovered: Some(uncovered),
                    fitness: Some(fitness),
                };
                Exchange::new(Statement::new(statement), SeenReader { resolved, width, seen: Seen::Changed })
            }
        })
    }

    fn end_of_rows(&mut self, part: &mut dyn Part<Mysql>) -> Result<()> {
        self.step = match self.step {
            Step::Done => Step::Done,
            Step::Ask if self.fitness.judge()? => Step::Remember,
            Step::Ask => Step::Ask,
            Step::Remember => Step::Free,
            Step::Free if self.asked != Asked::AtOnce && begin(part, Pending::Held, self.uncovered.most) => {
                Step::Recheck
            }
            Step::Free => self.enough(part),
            Step::Recheck if part.next(self.uncovered.most) => Step::Recheck,
            // Others may be free in place of those that have left the query, among the same candidates.
            Step::Recheck if part.drop_unmatched() => anew(part),
            Step::Recheck => self.enough(part),
            Step::Count if self.is_all(part) => self.picked(part),
            Step::Count => {
                self.all_seen = self.counted < self.candidates;
                if !self.all_seen {
                    self.candidates = self.candidates.saturating_mul(8);
                }
                anew(part)
            }
            Step::Change if part.next(self.uncovered.most) => Step::Change,
            Step::Change if begin(part, Pending::Held, self.uncovered.most) => Step::Reload,
            Step::Reload if part.next(self.uncovered.most) => Step::Reload,
            // MariaDB 11.8 answers some statements that were cancelled as if they had found no row. What was not changed must
            // not be taken for claimed.
            Step::Reload if self.changed < part.held_once() => return Err(DieselError::NotFound.into()),
            Step::Reload if !part.all_changed() => return Err(gone_from_its_key()),
            Step::Change | Step::Reload => Step::Done,
        };
        Ok(())
    }

    fn goes_on(&mut self, error: &LockError) -> bool {
        let asks = self.step == Step::Free && self.fitness.must_ask(error);
        if asks {
            self.step = Step::Ask;
        }
        asks
    }

    fn arrange<T>(self, rows: Vec<T>) -> Vec<T> {
        rows
    }
}

impl MysqlPick {
    fn enough(&self, part: &mut dyn Part<Mysql>) -> Step {
        let picked = i64::try_from(part.held()).unwrap_or(i64::MAX);
        if picked < self.limit { Step::Count } else { self.picked(part) }
    }

    /// Whether there is nothing to pick beside what was picked.
    ///
    /// Under READ COMMITTED, others may have committed between the look and the count, and what they held was all that the
    /// look took in. So a small count is only believed around a look: one before it and one after.
    fn is_all(&self, part: &mut dyn Part<Mysql>) -> bool {
        let picked = i64::try_from(part.held()).unwrap_or(i64::MAX);
        self.counted <= picked || (self.all_seen && self.counted < self.candidates)
    }

    fn picked(&self, part: &mut dyn Part<Mysql>) -> Step {
        if self.claims && begin(part, Pending::Held, self.uncovered.most) { Step::Change } else { Step::Done }
    }
}

/// Lists the first of these keys; whether there are any.
fn begin(part: &mut dyn Part<Mysql>, pending: Pending, most: usize) -> bool {
    part.queue(pending);
    part.next(most)
}

/// Picks again, but for the rows that turned out not to match: all of them, or one would be picked for ever.
fn anew(part: &mut dyn Part<Mysql>) -> Step {
    part.queue(Pending::Lost(0));
    part.next(usize::MAX);
    part.pick_anew();
    Step::Free
}

/// A row was changed, and is not there any more under the key that it had.
fn gone_from_its_key() -> LockError {
    let advice = "a changed row is read again by the key that it had: change the key by an UPDATE of its own";
    LockError::Unsupported { clause: "a claim that changes the primary key", advice }
}

struct Counter<'e>(&'e mut i64);

impl Reader<Mysql> for Counter<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        *self.0 = row.get_value::<BigInt, i64, _>(0)?;
        Ok(())
    }
}
