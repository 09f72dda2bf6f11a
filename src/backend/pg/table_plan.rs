//! What is sent for one table, in which order: nearly always one statement, more only when rows changed in between, or
//! when some are absent and the caller does not wait.

mod next_step;

use std::time::Duration;

use diesel::{deserialize, pg::Pg, result::QueryResult};

pub(super) use self::next_step::two_rows_of_one_key;
use super::{
    holders::{Holders, holder},
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
    sql::{ErasedRows, Keys, Named, QueriedModel, TableName},
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
    wait_policy: WaitPolicy,
    stage: Stage,
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
enum Stage {
    /// Are these tables of the set parts of each other?
    Parts(Vec<String>, Box<Stage>),
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
    LimitedRowsChanged,
    /// The same, of keys that were asked for.
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
            // A query that skips by itself does not say that it skipped.
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
                let query = &*sql.choices.first()?.query;
                let statement = Statement::new(LockQuery { name, text: sql.text, query, strength, wait });
                (statement, vec![reader], Reading::Query)
            }
            Stage::LockRows => {
                let mixed = models.len() > 1 || models.iter().any(|model| !model.choices.is_empty());
                let (models, readers) = models.iter_mut().map(|model| model.first_sides(count)).unzip();
                let statement = LockRows { name, models, strength, wait, count };
                let reading = if mixed { Reading::Mixed } else { Reading::Keys };
                let reader = RowReader::new(readers, reading).told_if_empty(statement.says_if_empty());
                // Keys of one column, of one list, are the plain case: nothing to name.
                let statement =
                    if statement.has_helpers() { Statement::new(Named(statement)) } else { Statement::new(statement) };
                return Some(Step::new(statement, reader));
            }
            Stage::Look(i, lists) => {
                let (sql, reader) = models.get_mut(*i)?.sides();
                let (text, choices, whole) = (sql.text, sql.choices, count.then_some(sql.keys));
                let statement = Statement::new(Named(Recheck { text, choices, whole, lists }));
                (statement, vec![reader], Reading::Again)
            }
            Stage::LockMore(i, keys) => {
                let (sql, reader) = models.get_mut(*i)?.about(&**keys);
                // In no order any more: a row that did not come back may be held too, wherever it is now.
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

    fn finish(self) -> Vec<ErasedRows> {
        let PgTable { name, models, .. } = self;
        models.into_iter().map(|model| model.finish(&name)).collect()
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
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
