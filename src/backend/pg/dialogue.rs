//! What is sent for one table, in which order: nearly always one statement, more only when rows changed in between, or
//! when some are absent and the caller does not wait.

use std::time::Duration;

use diesel::{deserialize, pg::Pg, result::QueryResult};

use super::{
    holders::{Holders, holder},
    lock_query::LockQuery,
    lock_rows::LockRows,
    look_again::LookAgain,
    reader::{PartReader, Reading, RowReader},
    row_security::{AbsentReader, AbsentRows, Policies, PoliciesReader},
    same_rows::SameRows,
};
use crate::{
    backend::{Exchange, TableDialogue},
    diesel_internals::{RowRef, Statement, sql_of},
    error::{Holder, LockError, LockObstacle, Result, RowName},
    mode::{Patience, Strength, Wait},
    sql::{Finished, List, Named, Part, PartInSet, TableName},
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
    parts: Vec<PartInSet<'a, Pg>>,
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

#[derive(Debug, Clone, Copy)]
enum Step {
    /// One query makes up the table's part: it locks by itself.
    LockQuery,
    LockRows,
    /// Part `.0` is unsettled: what do its queries say now that its rows are held? Or, if the caller does not wait: is
    /// anything wanted that is not held?
    Look(usize),
    /// A look at part `.0` found rows that are wanted and not held.
    LockMore(usize),
    /// Part `.0` has rows that did not come back: are they missing, held, or can they not be locked at all?
    Absent(usize, After),
    /// Which policies keep rows from being locked?
    Policies,
    /// Part `.0` has keys that are not among those of its rows, to Rust: are they, to the server?
    Same(usize),
    Done,
}

/// What follows when nothing says that rows cannot be locked.
#[derive(Debug, Clone, Copy)]
enum After {
    /// What is asked of the next part.
    Next,
    /// The rows that can be locked are held, and the call does not wait.
    Busy,
    /// The end: a limited query goes on to rows that may not be waited for.
    Moved,
}

impl<'a> PgTable<'a> {
    pub(super) fn new(
        name: TableName,
        mut parts: Vec<PartInSet<'a, Pg>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self> {
        let queries: usize = parts.iter().map(|part| part.choices.len()).sum();
        for part in &mut parts {
            part.part.prepare();
        }
        let asked = parts.iter().any(|part| part.part.wanted().has(List::Asked));
        let step = match (asked, &parts[..]) {
            // A query that skips by itself does not say that it skipped.
            (false, [part])
                if queries == 1 && patience != Patience::NoWait && LockQuery::suits(&part.choices[0], &name) =>
            {
                Step::LockQuery
            }
            (false, _) if queries == 0 => Step::Done,
            _ => Step::LockRows,
        };
        if queries > FEW_QUERIES {
            let parts = parts.iter().map(|part| (part.part.wanted(), &part.choices[..])).collect();
            let lock = Some((strength, patience.wait()));
            refuse_too_many_values(&LockRows { name: &name, parts, list: List::Asked, lock, count: false })?;
        }
        Ok(PgTable {
            name,
            parts,
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

    /// The first part, from `from` on, about which something must still be asked.
    fn next(&mut self, from: usize) -> Step {
        for i in from..self.parts.len() {
            let PartInSet { part, choices, .. } = &mut self.parts[i];
            let short = part.found().is_short();
            let look = part.found().is_unsettled()
                || match self.patience {
                    Patience::NoWait => part.find_absent() || (!choices.is_empty() && short),
                    // What was skipped is no reason to ask again.
                    Patience::SkipLocked => false,
                    Patience::Block | Patience::Timeout(_) => {
                        short && choices.iter().any(|choice| choice.shape.limited)
                    }
                };
            if look {
                return Step::Look(i);
            }
            if let Some(step) = ask_about_unknown(&mut **part, self.patience, i) {
                return step;
            }
        }
        Step::Done
    }

    /// What follows a look at part `i`.
    fn looked(&mut self, i: usize) -> Step {
        let part = &mut self.parts[i].part;
        // For those who skip there is one more try, then what is held by others is left out.
        if part.found().has_unheld() && (self.patience != Patience::SkipLocked || self.looks == 0) {
            part.lock_more();
            return Step::LockMore(i);
        }
        ask_about_unknown(&mut **part, self.patience, i).unwrap_or_else(|| self.next(i + 1))
    }

    /// What follows a lock of rows that a look at part `i` found.
    fn locked_more(&mut self, i: usize) -> Result<Step> {
        self.looks += 1;
        let after = match self.patience {
            Patience::NoWait => After::Busy,
            Patience::Block | Patience::Timeout(_) => After::Moved,
            Patience::SkipLocked => return Ok(Step::Look(i)),
        };
        if self.parts[i].part.find_left_out() {
            return Ok(Step::Absent(i, after));
        }
        self.look_once_more(i)
    }

    /// What follows when the server has told which keys are those of rows.
    fn told_same(&mut self, i: usize) -> Step {
        let part = &mut *self.parts[i].part;
        if part.find_skipped() {
            return Step::Absent(i, After::Next);
        }
        // What does not exist has not been skipped.
        let waits = self.patience != Patience::SkipLocked;
        waits.then(|| ask_about_absent(part, self.patience, i)).flatten().unwrap_or_else(|| self.next(i + 1))
    }

    fn look_once_more(&self, i: usize) -> Result<Step> {
        let waits = matches!(self.patience, Patience::Block | Patience::Timeout(_));
        if waits && self.looks > MOST_LOOKS { Err(self.moved()) } else { Ok(Step::Look(i)) }
    }

    fn moved(&self) -> LockError {
        LockError::Moved { table: self.name.quoted().to_owned() }
    }

    /// What follows when the rows of part `i` that did not come back were looked at.
    fn absent(&mut self, i: usize, after: After) -> Result<Step> {
        let part = &self.parts[i].part;
        self.unlockable = part.unlockable_names(&self.name);
        match after {
            _ if !self.unlockable.is_empty() && self.may_name_policies => Ok(Step::Policies),
            _ if !self.unlockable.is_empty() => Err(self.not_lockable()),
            After::Next => Ok(self.next(i + 1)),
            After::Busy => {
                let busy = part.busy_names(&self.name);
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

/// Asks about keys that were asked for and did not come back, if there is more to be told than that.
fn ask_about_unknown(part: &mut dyn Part<Pg>, patience: Patience, i: usize) -> Option<Step> {
    let skips = patience == Patience::SkipLocked;
    if part.find_unknown(skips) {
        return Some(Step::Same(i));
    }
    ask_about_absent(part, patience, i)
}

/// The look of a call that fails at once has told what is there.
fn ask_about_absent(part: &mut dyn Part<Pg>, patience: Patience, i: usize) -> Option<Step> {
    (patience != Patience::NoWait && part.find_absent()).then_some(Step::Absent(i, After::Next))
}

impl TableDialogue<Pg> for PgTable<'_> {
    fn exchange(&mut self) -> Option<Exchange<'_, Pg>> {
        let PgTable { name, parts, strength, patience, may_name_policies, policies, .. } = self;
        let (name, strength, wait) = (&*name, *strength, patience.wait());
        let count = *patience == Patience::NoWait;
        let (statement, reader) = match self.step {
            Step::Done => return None,
            Step::LockQuery => {
                let PartInSet { part, choices, .. } = parts.first_mut()?;
                let (wanted, found) = part.old_sides();
                let query = &*choices.first()?.query;
                let statement = Statement::new(LockQuery { name, wanted, query, strength, wait });
                (statement, RowReader::new(vec![PartReader::new(wanted, found, &[])], Reading::Query))
            }
            Step::LockRows => {
                let (mut views, mut readers, mut mixed) = (Vec::new(), Vec::new(), parts.len() > 1);
                for PartInSet { part, choices, .. } in parts {
                    let (wanted, found) = part.old_sides();
                    mixed |= !choices.is_empty();
                    readers.push(PartReader::new(wanted, found, choices).counting(count));
                    views.push((wanted, &choices[..]));
                }
                let reading = if mixed { Reading::Mixed } else { Reading::Keys };
                let lock = Some((strength, wait));
                let statement = LockRows { name, parts: views, list: List::Asked, lock, count };
                let reader = RowReader::new(readers, reading).told_if_empty(statement.says_if_empty());
                // Keys of one column, of one list, are the plain case: nothing to name.
                let statement =
                    if statement.has_helpers() { Statement::new(Named(statement)) } else { Statement::new(statement) };
                (statement, reader)
            }
            Step::Look(i) => {
                let PartInSet { part, choices, .. } = parts.get_mut(i)?;
                let (wanted, found) = part.old_sides();
                let statement = Statement::new(Named(LookAgain { wanted, choices, whole: count }));
                (statement, RowReader::new(vec![PartReader::new(wanted, found, &[])], Reading::Again))
            }
            Step::LockMore(i) => {
                let (wanted, found) = parts.get_mut(i)?.part.old_sides();
                // In no order any more: a row that did not come back may be held too, wherever it is now.
                let lock = Some((strength, Wait::SkipLocked));
                let statement = LockRows { name, parts: vec![(wanted, &[])], list: List::More, lock, count: false };
                let readers = vec![PartReader::new(wanted, found, &[])];
                (Statement::new(Named(statement)), RowReader::new(readers, Reading::More))
            }
            Step::Absent(i, _) => {
                let (wanted, found) = parts.get_mut(i)?.part.old_sides();
                let statement = Statement::new(Named(AbsentRows { name, wanted }));
                let held = wait == Wait::SkipLocked;
                let reader = AbsentReader { found, width: wanted.width(), held, may_name: may_name_policies };
                return Some(Exchange::new(statement, reader));
            }
            Step::Policies => {
                return Some(Exchange::new(Statement::new(Policies(name)), PoliciesReader(policies)));
            }
            Step::Same(i) => {
                let (wanted, found) = parts.get_mut(i)?.part.old_sides();
                let readers = vec![PartReader::new(wanted, found, &[])];
                let skips = *patience == Patience::SkipLocked;
                (Statement::new(Named(SameRows { wanted })), RowReader::new(readers, Reading::Same { skips }))
            }
        };
        Some(Exchange::new(statement, reader))
    }

    fn end_of_rows(&mut self) -> Result<()> {
        self.step = match self.step {
            Step::Done => Step::Done,
            Step::LockQuery | Step::LockRows => self.next(0),
            Step::Look(i) => self.looked(i),
            Step::LockMore(i) => self.locked_more(i)?,
            Step::Absent(i, after) => self.absent(i, after)?,
            Step::Same(i) => self.told_same(i),
            Step::Policies => return Err(self.not_lockable()),
        };
        match self.step {
            Step::Look(i) => self.parts[i].part.look_again(),
            Step::Done if !self.busy.is_empty() => {
                let rows = std::mem::take(&mut self.busy);
                return Err(LockError::Contended { rows, holders: Vec::new(), source: None });
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Vec<Finished> {
        let PgTable { name, parts, .. } = self;
        parts.into_iter().map(|part| part.part.finish(&name)).collect()
    }

    fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    fn name(&self) -> &TableName {
        &self.name
    }

    fn asked(&self) -> Vec<RowName> {
        self.parts.iter().flat_map(|part| part.part.asked_names(&self.name)).collect()
    }

    fn holders(&self, _: Duration) -> Statement<'_, Pg> {
        let parts = self.parts.iter().map(|part| (part.part.wanted(), &part.choices[..])).collect();
        Statement::new(Named(Holders { name: &self.name, parts }))
    }

    fn holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
        holder(row)
    }
}
