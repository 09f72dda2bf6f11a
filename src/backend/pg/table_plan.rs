//! The plan of one table's part of a set: which statements are sent, in which order.
//!
//! Usually it is one statement. More follow if a chosen row changed before it was locked, if a query depends on other rows, or if requested
//! rows did not come back.

mod next_step;

use std::time::Duration;

use diesel::{deserialize, pg::Pg, result::QueryResult};

pub(super) use self::next_step::two_rows_of_one_key;
use super::{
    holders::{Holders, row_holder},
    lock_query::LockQuery,
    lock_rows::LockRows,
    model::PgModel,
    reader::{Reading, RowReader},
    recheck::{HeldRows, Lists, Recheck},
    row_security::{AbsentReader, AbsentRows, Policies, PoliciesReader},
    same_rows::SameRows,
    same_table::{AnyRow, PartsOfEachOther, a_table_and_its_part, alike},
};
use crate::{
    backend::{Step, TablePlan},
    diesel_internals::{RowRef, Statement, sql_of},
    error::{Holder, LockError, Result, RowName},
    mode::{Strength, Wait, WaitPolicy},
    sql::{ErasedRows, Keys, Named, QueriedModel, Remembered, TableName},
};

/// The maximum number of recheck rounds of a call. A limited query that loses a row in each round would otherwise keep a set running for
/// ever; so would a key that is read back as another one, because `table!` names another type than the column has.
const MOST_LOOKS: usize = 1_000;

/// The number of queries up to which bind parameters are not counted. So few queries exceed the limit only if one of them has about a
/// thousand parameters.
const FEW_QUERIES: usize = 64;

/// The largest number of bind parameters in the first statement: the protocol's limit, less a reserve for the lists of later statements.
const MOST_VALUES: usize = 65_535 - 64;

/// PostgreSQL's plan for one table of a set.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct PgTable<'a> {
    name: TableName,
    models: Vec<PgModel<'a>>,
    strength: Strength,
    wait_policy: WaitPolicy,
    stage: Stage,
    /// The rows that a call that does not wait found locked by other sessions. The call fails after the whole table has been examined.
    busy: Vec<RowName>,
    /// The rows that this session cannot lock. The call fails when the reason is known.
    unlockable: Vec<RowName>,
    may_name_policies: bool,
    policies: Option<String>,
    /// True if one table of the set is a partition or an inheritance child of another.
    has_parts: bool,
}

/// The next statement, with the keys that it reads or locks.
enum Stage {
    /// Asks whether tables of the set are partitions or inheritance children of each other. The second field is the stage that follows.
    Parts(Vec<String>, Box<Stage>),
    /// Locks the rows of the single query, with the locking clause on the query itself.
    LockQuery,
    /// Locks the rows of all models, by key and by query.
    LockRows,
    /// Rechecks model `.0`. Its queries are evaluated again now that its rows are locked. If the caller does not wait, the recheck finds
    /// all rows that are wanted and not locked.
    Look(usize, Lists),
    /// Locks the rows of model `.0` that a recheck found wanted and not locked.
    LockMore(usize, Box<dyn Keys<Pg>>),
    /// Locks the requested keys of model `.0` that did not come back and were found to exist.
    LockLate(usize, Box<dyn Keys<Pg>>),
    /// Reads the rows of model `.0` in the server's key order.
    Order(usize, Box<dyn Keys<Pg>>),
    /// Finds out whether the absent rows of model `.0` are missing, are locked by other sessions, or cannot be locked at all.
    Absent(usize, After, Box<dyn Keys<Pg>>),
    /// Reads the names of the policies that keep rows from being locked.
    Policies,
    /// Compares on the server the requested keys of model `.0` that match none of its rows in Rust.
    Same(usize, Box<dyn Keys<Pg>>),
    Done,
}

/// The continuation after a search for absent rows, if row-level security hides none of them.
#[derive(Debug, Clone, Copy)]
enum After {
    /// Lock the requested keys that exist, or finish the model.
    Next,
    /// Report the rows that other sessions hold. The rows that can be locked are locked, and the call does not wait.
    Busy,
    /// Fail if a limited query now chooses rows that may not be waited for.
    LimitedRowsChanged,
    /// Fail if requested keys now have rows that may not be waited for.
    OutOfTurn,
}

impl<'a> PgTable<'a> {
    pub(super) fn new(
        name: TableName,
        parts: Vec<QueriedModel<'a, Pg>>,
        strength: Strength,
        wait_policy: WaitPolicy,
    ) -> QueryResult<Self> {
        let models: Vec<_> = parts.into_iter().map(PgModel::new).collect();
        let queries: usize = models.iter().map(|model| model.choices.len()).sum();
        let asked = models.iter().any(PgModel::has_keys);
        let stage = match (asked, &models[..]) {
            // Under `SKIP LOCKED` this statement does not report that it skipped rows.
            (false, [model])
                if queries == 1 && wait_policy != WaitPolicy::NoWait && LockQuery::suits(&model.choices[0], &name) =>
            {
                Stage::LockQuery
            }
            (false, _) if queries == 0 => Stage::Done,
            _ => Stage::LockRows,
        };
        if queries > FEW_QUERIES {
            let models = models.iter().map(PgModel::sql).collect();
            refuse_too_many_values(&LockRows {
                name: &name,
                models,
                strength,
                wait: wait_policy.wait(),
                count: false,
            })?;
        }
        Ok(PgTable {
            name,
            models,
            strength,
            wait_policy,
            stage,
            busy: Vec::new(),
            unlockable: Vec::new(),
            may_name_policies: false,
            policies: None,
            has_parts: false,
        })
    }
}

/// Refuses a statement with more bind parameters than [the protocol] can number. The statements that may follow have at most a few lists
/// more.
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

impl TablePlan<Pg> for PgTable<'_> {
    fn among(&mut self, tables: Vec<TableName>) {
        let tables = alike(&tables);
        if !tables.is_empty() {
            self.stage = Stage::Parts(tables, Box::new(std::mem::replace(&mut self.stage, Stage::Done)));
        }
    }

    fn next_step(&mut self) -> Option<Step<'_, Pg>> {
        let PgTable { name, models, strength, wait_policy, may_name_policies, policies, stage, has_parts, .. } = self;
        let (name, strength, wait) = (&*name, *strength, wait_policy.wait());
        let count = *wait_policy == WaitPolicy::NoWait;
        let (statement, readers, reading) = match stage {
            Stage::Done => return None,
            Stage::Parts(tables, _) => {
                return Some(Step::new(Statement::new(PartsOfEachOther(tables)), AnyRow(has_parts)));
            }
            Stage::LockQuery => {
                let (sql, reader) = models.first_mut()?.sides();
                let query = sql.choices.first()?.select();
                let statement = LockQuery { name, text: sql.text, query, strength, wait };
                let statement = Remembered { key: statement.text_key(), model: None, statement };
                (Statement::new(statement).open_ended(), vec![reader], Reading::Query)
            }
            Stage::LockRows => {
                let mixed = models.len() > 1 || models.iter().any(|model| !model.choices.is_empty());
                let (models, readers) = models.iter_mut().map(|model| model.first_sides(count)).unzip();
                let statement = LockRows { name, models, strength, wait, count };
                let reading = if mixed { Reading::Mixed } else { Reading::Keys };
                let reader = RowReader::new(readers, reading).told_if_empty(statement.says_if_empty());
                let (key, model) = (statement.text_key(), None);
                // A single list of keys that is sent as an array needs no helper names.
                let statement = if statement.has_helpers() {
                    Statement::new(Remembered { key, model, statement: Named(statement) })
                } else {
                    Statement::new(Remembered { key, model, statement })
                };
                return Some(Step::new(statement.open_ended(), reader));
            }
            Stage::Look(i, lists) => {
                let (sql, reader) = models.get_mut(*i)?.sides();
                let (text, choices, whole) = (sql.text, sql.choices, count.then_some(sql.keys));
                let statement = Statement::new(Named(Recheck { text, choices, whole, lists }));
                (statement, vec![reader], Reading::Again)
            }
            Stage::LockMore(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                // `SKIP LOCKED`, because the lock order is lost: a row that did not come back may be locked too, and its current key is
                // unknown.
                let wait = Wait::SkipLocked;
                let statement = LockRows { name, models: vec![sql], strength, wait, count: false };
                (Statement::new(Named(statement)), vec![reader], Reading::More)
            }
            Stage::LockLate(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let wait = Wait::SkipLocked;
                let statement = LockRows { name, models: vec![sql], strength, wait, count: false };
                (Statement::new(Named(statement)), vec![reader], Reading::Late)
            }
            Stage::Order(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(HeldRows { text: sql.text, keys: sql.keys }));
                (statement, vec![reader], Reading::Order)
            }
            Stage::Absent(i, _, keys) => {
                let (sql, model) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(AbsentRows { name, text: sql.text, keys: sql.keys }));
                let held = wait == Wait::SkipLocked;
                return Some(Step::new(statement, AbsentReader { model, held, may_name: may_name_policies }));
            }
            Stage::Policies => {
                return Some(Step::new(Statement::new(Policies(name)), PoliciesReader(policies)));
            }
            Stage::Same(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                let statement = Statement::new(Named(SameRows { text: sql.text, unknown: sql.keys }));
                (statement, vec![reader], Reading::Same { skips: *wait_policy == WaitPolicy::SkipLocked })
            }
        };
        Some(Step::new(statement, RowReader::new(readers, reading)))
    }

    fn step_done(&mut self) -> Result<()> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Done => Stage::Done,
            Stage::Parts(..) if self.has_parts => return Err(a_table_and_its_part()),
            Stage::Parts(_, first) => *first,
            Stage::LockQuery | Stage::LockRows => self.next(0)?,
            Stage::Look(i, _) => self.looked(i)?,
            Stage::LockMore(i, _) => self.locked_more(i)?,
            Stage::LockLate(i, _) => self.locked_late(i)?,
            Stage::Order(i, _) => self.put_in_order(i)?,
            Stage::Absent(i, after, _) => self.absent(i, after)?,
            Stage::Same(i, _) => self.told_same(i)?,
            Stage::Policies => return Err(self.not_lockable()),
        };
        if self.is_done() && !self.busy.is_empty() {
            let rows = std::mem::take(&mut self.busy);
            return Err(LockError::Contended { rows, holders: Vec::new(), source: None });
        }
        Ok(())
    }

    fn finish(self) -> impl Iterator<Item = ErasedRows> {
        let PgTable { name, models, .. } = self;
        models.into_iter().map(move |model| model.finish(&name))
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn purpose(&self) -> String {
        let wait = match self.wait_policy.wait() {
            Wait::Block => "waits for those that other sessions hold",
            Wait::Fail | Wait::SkipLocked => "leaves out those that other sessions hold",
        };
        match self.stage {
            Stage::Parts(..) => "asks whether a table of the set is a partition or a child of another one".to_owned(),
            _ => format!("locks and reads the rows of {} in the order of their key; {wait}", self.name.quoted()),
        }
    }

    fn go_on(&mut self) -> Result<bool> {
        let first = matches!(self.stage, Stage::Parts(..));
        if first { self.step_done().map(|()| true) } else { Ok(false) }
    }

    fn further(&self) -> Vec<&'static str> {
        let (mut further, queries) = (Vec::new(), self.models.iter().flat_map(|model| &model.choices));
        if self.models.iter().any(PgModel::has_keys) {
            further.push(
                "if a requested row does not come back: a query for whether it exists and can be locked, and if so a statement that locks \
                 it, with `SKIP LOCKED`",
            );
        }
        if queries.clone().any(|chosen| !chosen.text.own) {
            further.push("when its rows are locked, a query that depends on more than the locked row is sent once more, without a lock");
        } else if queries.clone().next().is_some() && !matches!(self.stage, Stage::LockQuery) {
            further.push("if a row changed between choice and lock: its query once more, without a lock");
        }
        if queries.clone().any(|chosen| chosen.shape.limited) {
            further.push("if a row leaves a limited query: a statement that locks the next one, with `SKIP LOCKED`");
        }
        further
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
        row_holder(row)
    }
}
