//! What is sent for one table, in which order: nearly always one statement, more only when rows changed in between, or
//! when some are absent and the caller does not wait.

use std::time::Duration;

use diesel::{deserialize, pg::Pg, result::QueryResult};

use super::{
    holders::{Holders, holder},
    lock_query::LockQuery,
    lock_rows::LockRows,
    look_again::{Lists, LookAgain},
    model::PgModel,
    reader::{Reading, RowReader},
    row_security::{AbsentReader, AbsentRows, Policies, PoliciesReader},
    same_rows::SameRows,
};
use crate::{
    backend::{Exchange, TableDialogue},
    diesel_internals::{RowRef, Statement, sql_of},
    error::{Holder, LockError, LockObstacle, Result, RowName},
    mode::{Patience, Strength, Wait},
    sql::{Finished, Keys, Named, QueriedModel, RowId, TableName},
};

/// A limited query that loses a row each time it is asked again would keep a set busy for ever.
const MOST_LOOKS: usize = 1_000;

/// So many cannot have more values than a statement takes, unless one alone has thousands.
const FEW_QUERIES: usize = 64;

const MOST_VALUES: usize = 65_535 - 64;

/// PostgreSQL's conversation about one table.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct PgTable<'a> {
    name: TableName,
    models: Vec<PgModel<'a>>,
    strength: Strength,
    patience: Patience,
    step: Step,
    looks: usize,
    /// What a call that does not wait found held by others; the call fails when it has seen the whole table.
    busy: Vec<RowName>,
    /// The rows that no lock of this session's reaches; the call fails when the reason is known.
    unlockable: Vec<RowName>,
    may_name_policies: bool,
    policies: Option<String>,
}

/// The next statement, with the keys that it is about.
enum Step {
    /// One query makes up the table's part: it locks by itself.
    LockQuery,
    LockRows,
    /// Model `.0` is unsettled: what do its queries say now that its rows are held? Or, if the caller does not wait: is
    /// anything wanted that is not held?
    Look(usize, Lists),
    /// A look at model `.0` found rows that are wanted and not held.
    LockMore(usize, Box<dyn Keys<Pg>>),
    /// Model `.0` has rows that did not come back: are they missing, held, or can they not be locked at all?
    Absent(usize, After, Box<dyn Keys<Pg>>),
    /// Which policies keep rows from being locked?
    Policies,
    /// Model `.0` has keys that are not among those of its rows, to Rust: are they, to the server?
    Same(usize, Box<dyn Keys<Pg>>),
    Done,
}

/// What follows when nothing says that rows cannot be locked.
#[derive(Debug, Clone, Copy)]
enum After {
    /// What is asked of the next model.
    Next,
    /// The rows that can be locked are held, and the call does not wait.
    Busy,
    /// The end: a limited query goes on to rows that may not be waited for.
    Moved,
}

impl<'a> PgTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<QueriedModel<'a, Pg>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self> {
        let models: Vec<_> = parts.into_iter().map(PgModel::new).collect();
        let queries: usize = models.iter().map(|model| model.choices.len()).sum();
        let asked = models.iter().any(PgModel::has_keys);
        let step = match (asked, &models[..]) {
            // A query that skips by itself does not say that it skipped.
            (false, [model])
                if queries == 1 && patience != Patience::NoWait && LockQuery::suits(&model.choices[0], &name) =>
            {
                Step::LockQuery
            }
            (false, _) if queries == 0 => Step::Done,
            _ => Step::LockRows,
        };
        if queries > FEW_QUERIES {
            let models = models.iter().map(PgModel::sql).collect();
            refuse_too_many_values(&LockRows { name: &name, models, strength, wait: patience.wait(), count: false })?;
        }
        Ok(PgTable {
            name,
            models,
            strength,
            patience,
            step,
            looks: 0,
            busy: Vec::new(),
            unlockable: Vec::new(),
            may_name_policies: false,
            policies: None,
        })
    }

    /// The first model, from `from` on, about which something must still be asked.
    fn next(&mut self, from: usize) -> Step {
        for i in from..self.models.len() {
            let model = &mut self.models[i];
            let short = model.outcome.is_short();
            let look = model.outcome.is_unsettled()
                || match self.patience {
                    Patience::NoWait => (!model.choices.is_empty() && short) || !model.absent().is_empty(),
                    // What was skipped is no reason to ask again.
                    Patience::SkipLocked => false,
                    Patience::Block | Patience::Timeout(_) => {
                        short && model.choices.iter().any(|choice| choice.shape.limited)
                    }
                };
            if look {
                return Step::Look(i, model.look_again());
            }
            if let Some(step) = self.ask_about_unknown(i) {
                return step;
            }
        }
        Step::Done
    }

    /// Asks about keys that were asked for and did not come back, if there is more to be told than that.
    fn ask_about_unknown(&mut self, i: usize) -> Option<Step> {
        let model = &mut self.models[i];
        let unknown = model.unknown(self.patience == Patience::SkipLocked);
        if unknown.is_empty() { self.ask_about_absent(i) } else { Some(Step::Same(i, model.keys(&unknown))) }
    }

    /// The look of a call that fails at once has told what is there.
    fn ask_about_absent(&mut self, i: usize) -> Option<Step> {
        let absent = if self.patience == Patience::NoWait { Vec::new() } else { self.models[i].absent() };
        self.absent_step(i, &absent, After::Next)
    }

    fn absent_step(&self, i: usize, absent: &[RowId], after: After) -> Option<Step> {
        (!absent.is_empty()).then(|| Step::Absent(i, after, self.models[i].keys(absent)))
    }

    /// What follows a look at model `i`.
    fn looked(&mut self, i: usize) -> Step {
        let model = &mut self.models[i];
        // For those who skip there is one more try, then what is held by others is left out.
        if !model.outcome.unheld().is_empty() && (self.patience != Patience::SkipLocked || self.looks == 0) {
            return Step::LockMore(i, model.lock_more());
        }
        self.ask_about_unknown(i).unwrap_or_else(|| self.next(i + 1))
    }

    /// What follows a lock of rows that a look at model `i` found.
    fn locked_more(&mut self, i: usize) -> Result<Step> {
        self.looks += 1;
        let after = match self.patience {
            Patience::NoWait => After::Busy,
            Patience::Block | Patience::Timeout(_) => After::Moved,
            Patience::SkipLocked => return Ok(self.look(i)),
        };
        let left_out = self.models[i].outcome.left_out();
        self.absent_step(i, &left_out, after).map_or_else(|| self.look_once_more(i), Ok)
    }

    /// What follows when the server has told which keys are those of rows.
    fn told_same(&mut self, i: usize) -> Step {
        let skipped = self.models[i].outcome.take_skipped();
        // What does not exist has not been skipped.
        let step = match self.absent_step(i, &skipped, After::Next) {
            None if self.patience != Patience::SkipLocked => self.ask_about_absent(i),
            step => step,
        };
        step.unwrap_or_else(|| self.next(i + 1))
    }

    fn look(&mut self, i: usize) -> Step {
        Step::Look(i, self.models[i].look_again())
    }

    fn look_once_more(&mut self, i: usize) -> Result<Step> {
        let waits = matches!(self.patience, Patience::Block | Patience::Timeout(_));
        if waits && self.looks > MOST_LOOKS { Err(self.moved()) } else { Ok(self.look(i)) }
    }

    fn moved(&self) -> LockError {
        LockError::Moved { table: self.name.quoted().to_owned() }
    }

    /// What follows when the rows of model `i` that did not come back were looked at.
    fn absent(&mut self, i: usize, after: After) -> Result<Step> {
        let model = &self.models[i];
        self.unlockable = model.names(model.outcome.unlockable(), &self.name);
        match after {
            _ if !self.unlockable.is_empty() && self.may_name_policies => Ok(Step::Policies),
            _ if !self.unlockable.is_empty() => Err(self.not_lockable()),
            After::Next => Ok(self.next(i + 1)),
            After::Busy => {
                let busy = model.names(model.outcome.skipped(), &self.name);
                if busy.is_empty() {
                    // What was held was deleted meanwhile, and what the last lock has got is still to be read.
                    return self.look_once_more(i);
                }
                self.busy.extend(busy);
                Ok(self.next(i + 1))
            }
            After::Moved => Err(self.moved()),
        }
    }

    fn not_lockable(&mut self) -> LockError {
        let (table, rows) = (self.name.quoted().to_owned(), std::mem::take(&mut self.unlockable));
        let reason = LockObstacle::RowSecurity { policies: self.policies.take() };
        LockError::NotLockable { table, rows, reason, source: None }
    }
}

/// Refuses a statement with more values than [the protocol] has numbers for. The statements that may follow have at most a few
/// lists more.
///
/// [the protocol]: https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-BIND
fn refuse_too_many_values(statement: &LockRows<'_>) -> QueryResult<()> {
    let sql = sql_of(statement)?;
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let numbers = sql.split('$').skip(1).filter_map(|text| text[..digits(text)].parse::<usize>().ok());
    match numbers.max() {
        Some(most) if most > MOST_VALUES => Err(LockError::too_many_values().into()),
        _ => Ok(()),
    }
}

impl TableDialogue<Pg> for PgTable<'_> {
    fn exchange(&mut self) -> Option<Exchange<'_, Pg>> {
        let PgTable { name, models, strength, patience, may_name_policies, policies, step, .. } = self;
        let (name, strength, wait) = (&*name, *strength, patience.wait());
        let count = *patience == Patience::NoWait;
        let (statement, readers, reading) = match step {
            Step::Done => return None,
            Step::LockQuery => {
                let (sql, reader) = models.first_mut()?.sides();
                let query = &*sql.choices.first()?.query;
                let statement = Statement::new(LockQuery { name, text: sql.text, query, strength, wait });
                (statement, vec![reader], Reading::Query)
            }
            Step::LockRows => {
                let mixed = models.len() > 1 || models.iter().any(|model| !model.choices.is_empty());
                let (models, readers) = models.iter_mut().map(|model| model.first_sides(count)).unzip();
                let statement = LockRows { name, models, strength, wait, count };
                let reading = if mixed { Reading::Mixed } else { Reading::Keys };
                let reader = RowReader::new(readers, reading).told_if_empty(statement.says_if_empty());
                // Keys of one column, of one list, are the plain case: nothing to name.
                let statement =
                    if statement.has_helpers() { Statement::new(Named(statement)) } else { Statement::new(statement) };
                return Some(Exchange::new(statement, reader));
            }
            Step::Look(i, lists) => {
                let (sql, reader) = models.get_mut(*i)?.sides();
                let (text, choices, whole) = (sql.text, sql.choices, count.then_some(sql.keys));
                let statement = Statement::new(Named(LookAgain { text, choices, whole, lists }));
                (statement, vec![reader], Reading::Again)
            }
            Step::LockMore(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                // In no order any more: a row that did not come back may be held too, wherever it is now.
                let wait = Wait::SkipLocked;
                let statement = LockRows { name, models: vec![sql], strength, wait, count: false };
                (Statement::new(Named(statement)), vec![reader], Reading::More)
            }
            Step::Absent(i, _, keys) => {
                let (sql, model) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(AbsentRows { name, text: sql.text, keys: sql.keys }));
                let held = wait == Wait::SkipLocked;
                return Some(Exchange::new(statement, AbsentReader { model, held, may_name: may_name_policies }));
            }
            Step::Policies => {
                return Some(Exchange::new(Statement::new(Policies(name)), PoliciesReader(policies)));
            }
            Step::Same(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(SameRows { text: sql.text, unknown: sql.keys }));
                (statement, vec![reader], Reading::Same { skips: *patience == Patience::SkipLocked })
            }
        };
        Some(Exchange::new(statement, RowReader::new(readers, reading)))
    }

    fn end_of_rows(&mut self) -> Result<()> {
        self.step = match std::mem::replace(&mut self.step, Step::Done) {
            Step::Done => Step::Done,
            Step::LockQuery | Step::LockRows => self.next(0),
            Step::Look(i, _) => self.looked(i),
            Step::LockMore(i, _) => self.locked_more(i)?,
            Step::Absent(i, after, _) => self.absent(i, after)?,
            Step::Same(i, _) => self.told_same(i),
            Step::Policies => return Err(self.not_lockable()),
        };
        if self.is_done() && !self.busy.is_empty() {
            let rows = std::mem::take(&mut self.busy);
            return Err(LockError::Contended { rows, holders: Vec::new(), source: None });
        }
        Ok(())
    }

    fn finish(self) -> Vec<Finished> {
        let PgTable { name, models, .. } = self;
        models.into_iter().map(|model| model.finish(&name)).collect()
    }

    fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    fn name(&self) -> &TableName {
        &self.name
    }

    fn asked(&self) -> Vec<RowName> {
        self.models.iter().flat_map(|model| model.asked_names(&self.name)).collect()
    }

    fn holders(&self, _: Duration) -> Statement<'_, Pg> {
        let models = self.models.iter().map(PgModel::sql).collect();
        Statement::new(Named(Holders { name: &self.name, models }))
    }

    fn holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
        holder(row)
    }
}
