//! What is sent for one table, in which order: nearly always one statement, more only when rows changed in between, or
//! when some are absent and the caller does not wait.

use std::time::Duration;

use diesel::{deserialize, pg::Pg, result::QueryResult};

use super::{
    holders::{Holders, holder},
    lock_query::LockQuery,
    lock_rows::LockRows,
    look_again::{HeldRows, Lists, LookAgain},
    model::{Order, PgModel},
    reader::{Reading, RowReader},
    row_security::{AbsentReader, AbsentRows, Policies, PoliciesReader},
    same_rows::SameRows,
    same_table::{AnyRow, PartsOfEachOther, a_table_and_its_part, alike},
};
use crate::{
    backend::{Exchange, TableDialogue},
    diesel_internals::{RowRef, Statement, sql_of},
    error::{Holder, LockError, LockObstacle, Result, RowName},
    mode::{Patience, Strength, Wait},
    sql::{Finished, Keys, Named, PartInSet, RowId, TableName},
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
    /// What a call that does not wait found held by others; the call fails when it has seen the whole table.
    busy: Vec<RowName>,
    /// The rows that no lock of this session's reaches; the call fails when the reason is known.
    unlockable: Vec<RowName>,
    may_name_policies: bool,
    policies: Option<String>,
    /// One table of the set is a part of another.
    has_parts: bool,
}

/// The next statement, with the keys that it is about.
enum Step {
    /// Are these tables of the set parts of each other?
    Parts(Vec<String>, Box<Step>),
    /// One query makes up the table's part: it locks by itself.
    LockQuery,
    LockRows,
    /// Model `.0` is unsettled: what do its queries say now that its rows are held? Or, if the caller does not wait: is
    /// anything wanted that is not held?
    Look(usize, Lists),
    /// A look at model `.0` found rows that are wanted and not held.
    LockMore(usize, Box<dyn Keys<Pg>>),
    /// Keys of model `.0` that did not come exist.
    LockLate(usize, Box<dyn Keys<Pg>>),
    /// In which order do the rows of model `.0` come?
    Order(usize, Box<dyn Keys<Pg>>),
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
    /// The same, of keys that were asked for.
    OutOfTurn,
}

impl<'a> PgTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<PartInSet<'a, Pg>>,
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
            busy: Vec::new(),
            unlockable: Vec::new(),
            may_name_policies: false,
            policies: None,
            has_parts: false,
        })
    }

    /// What is asked of the models from `i` on, when the first statement has come.
    fn next(&mut self, i: usize) -> Result<Step> {
        let Some(model) = self.models.get_mut(i) else { return Ok(Step::Done) };
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
        if look { Ok(self.look(i)) } else { self.ask_about_unknown(i) }
    }

    /// Asks about keys that were asked for and did not come, if there is more to be told than that.
    fn ask_about_unknown(&mut self, i: usize) -> Result<Step> {
        let model = &mut self.models[i];
        let unknown = model.unknown(self.patience == Patience::SkipLocked);
        if unknown.is_empty() { self.ask_about_absent(i) } else { Ok(Step::Same(i, model.keys(&unknown))) }
    }

    /// A key is missing only if a statement has not found it that began when nothing was waited for any more: the row may have been
    /// replaced by one with the same key. The look of a call that fails at once has told what is there.
    fn ask_about_absent(&mut self, i: usize) -> Result<Step> {
        let model = &mut self.models[i];
        let told = self.patience == Patience::NoWait || std::mem::replace(&mut model.absent_asked, true);
        let absent = if told { Vec::new() } else { model.absent() };
        self.absent_step(i, &absent, After::Next).map_or_else(|| self.put_in_order(i), Ok)
    }

    fn absent_step(&self, i: usize, absent: &[RowId], after: After) -> Option<Step> {
        (!absent.is_empty()).then(|| Step::Absent(i, after, self.models[i].keys(absent)))
    }

    /// The end of model `i`.
    fn put_in_order(&mut self, i: usize) -> Result<Step> {
        match self.models[i].put_in_order() {
            Order::Right => self.next(i + 1),
            Order::Unknown(keys) => Ok(Step::Order(i, keys)),
            Order::Twice => Err(two_rows_of_one_key()),
        }
    }

    /// What follows a look at model `i`.
    fn looked(&mut self, i: usize) -> Result<Step> {
        let model = &mut self.models[i];
        // For those who skip there is one more try, then what is held by others is left out.
        if !model.outcome.unheld().is_empty() && (self.patience != Patience::SkipLocked || model.looks == 0) {
            return Ok(Step::LockMore(i, model.lock_more()));
        }
        self.ask_about_unknown(i)
    }

    /// What follows a lock of rows that a look at model `i` found.
    fn locked_more(&mut self, i: usize) -> Result<Step> {
        self.models[i].looks += 1;
        let after = match self.patience {
            Patience::NoWait => After::Busy,
            Patience::Block | Patience::Timeout(_) => After::Moved,
            Patience::SkipLocked => return Ok(self.look(i)),
        };
        let left_out = self.models[i].outcome.left_out();
        self.absent_step(i, &left_out, after).map_or_else(|| self.look_once_more(i), Ok)
    }

    /// What follows a lock of keys that exist although they did not come.
    fn locked_late(&mut self, i: usize) -> Result<Step> {
        let left_out = self.models[i].outcome.left_out();
        self.absent_step(i, &left_out, After::OutOfTurn).map_or_else(|| self.ask_about_unknown(i), Ok)
    }

    /// What follows when the server has told which keys are those of rows.
    fn told_same(&mut self, i: usize) -> Result<Step> {
        let skipped = self.models[i].outcome.take_skipped();
        match self.absent_step(i, &skipped, After::Next) {
            Some(step) => Ok(step),
            // What does not exist has not been skipped.
            None if self.patience == Patience::SkipLocked => self.put_in_order(i),
            None => self.ask_about_absent(i),
        }
    }

    fn look(&mut self, i: usize) -> Step {
        Step::Look(i, self.models[i].look_again())
    }

    fn look_once_more(&mut self, i: usize) -> Result<Step> {
        if self.waits() && self.models[i].looks > MOST_LOOKS { Err(self.moved()) } else { Ok(self.look(i)) }
    }

    fn waits(&self) -> bool {
        matches!(self.patience, Patience::Block | Patience::Timeout(_))
    }

    fn moved(&self) -> LockError {
        LockError::Moved { table: self.name.quoted().to_owned() }
    }

    /// What follows when the rows of model `i` that did not come back were looked at.
    fn absent(&mut self, i: usize, after: After) -> Result<Step> {
        let model = &mut self.models[i];
        self.unlockable = model.names(model.outcome.unlockable(), &self.name);
        if !self.unlockable.is_empty() {
            return if self.may_name_policies { Ok(Step::Policies) } else { Err(self.not_lockable()) };
        }
        match after {
            After::Next if model.outcome.take_there() => Ok(Step::LockLate(i, model.lock_more())),
            After::Next => self.put_in_order(i),
            After::Busy => {
                let busy = model.names(model.outcome.skipped(), &self.name);
                if busy.is_empty() {
                    // What was held was deleted meanwhile, and what the last lock has got is still to be read.
                    return self.look_once_more(i);
                }
                self.busy.extend(busy);
                self.next(i + 1)
            }
            After::Moved | After::OutOfTurn if model.outcome.take_there() => Err(self.moved()),
            // They were deleted meanwhile.
            After::Moved => self.look_once_more(i),
            After::OutOfTurn => self.ask_about_unknown(i),
        }
    }

    fn not_lockable(&mut self) -> LockError {
        let (table, rows) = (self.name.quoted().to_owned(), std::mem::take(&mut self.unlockable));
        let reason = LockObstacle::RowSecurity { policies: self.policies.take() };
        LockError::NotLockable { table, rows, reason, source: None }
    }
}

/// The rows of a set are told apart by their keys.
pub(super) fn two_rows_of_one_key() -> LockError {
    let advice = "a table and one that inherits from it can both have a row of a key, and nobody can tell which of them is meant: \
                  lock by a key that all of them share, or make the keys differ";
    LockError::Unsupported { clause: "several rows of one key", advice }
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
    fn among(&mut self, tables: Vec<TableName>) {
        let tables = alike(&tables);
        if !tables.is_empty() {
            self.step = Step::Parts(tables, Box::new(std::mem::replace(&mut self.step, Step::Done)));
        }
    }

    fn exchange(&mut self) -> Option<Exchange<'_, Pg>> {
        let PgTable { name, models, strength, patience, may_name_policies, policies, step, has_parts, .. } = self;
        let (name, strength, wait) = (&*name, *strength, patience.wait());
        let count = *patience == Patience::NoWait;
        let (statement, readers, reading) = match step {
            Step::Done => return None,
            Step::Parts(tables, _) => {
                return Some(Exchange::new(Statement::new(PartsOfEachOther(tables)), AnyRow(has_parts)));
            }
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
            Step::LockLate(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let wait = Wait::SkipLocked;
                let statement = LockRows { name, models: vec![sql], strength, wait, count: false };
                (Statement::new(Named(statement)), vec![reader], Reading::Late)
            }
            Step::Order(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(HeldRows { text: sql.text, keys: sql.keys }));
                (statement, vec![reader], Reading::Order)
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
            Step::Parts(..) if self.has_parts => return Err(a_table_and_its_part()),
            Step::Parts(_, first) => *first,
            Step::LockQuery | Step::LockRows => self.next(0)?,
            Step::Look(i, _) => self.looked(i)?,
            Step::LockMore(i, _) => self.locked_more(i)?,
            Step::LockLate(i, _) => self.locked_late(i)?,
            Step::Order(i, _) => self.put_in_order(i)?,
            Step::Absent(i, after, _) => self.absent(i, after)?,
            Step::Same(i, _) => self.told_same(i)?,
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
