//! Runs one call of `lock`: takes the set's advisory locks, then locks its tables one after the other, within the time limit of the call.

use std::time::Duration;

use diesel::deserialize;

use super::{
    advisory::contended,
    driver::Driver,
    holders::{self, HoldersQuery},
    implicit_rollback::{self, check_outer_rollback},
    registry,
    session_state::marked,
    single_writer::is_open,
    snapshot::refuse_old_snapshot,
    timer::Timer,
    trace::{self, traced},
};
use crate::{
    backend::{AdvisoryCall, Clock, LockingBackend, TablePlan, sink},
    diesel_internals::{RowRef, Statement},
    error::{Attempt, Holder, LockError, Result},
    lock_set::{AdvisoryPart, LockSet, Locked},
    mode::WaitPolicy,
    sql::{ErasedRows, TableName},
};

/// Locks a set in the open transaction.
pub(crate) async fn lock<D: Driver, W>(driver: &mut D, set: LockSet<'_, D::DB, W>) -> Result<Locked> {
    traced!(driver, trace::Call::lock_set(&set), lock_in(driver, set).await)
}

async fn lock_in<D: Driver, W>(driver: &mut D, mut set: LockSet<'_, D::DB, W>) -> Result<Locked> {
    if !is_open(driver).await? {
        return Err(LockError::NotInTransaction);
    }
    let unchanged = set.take_unchanged();
    let locked = Call::new(driver, &set).run(set).await;
    if unchanged.is_empty() { locked } else { unchanged.check(locked?) }
}

/// A call in progress.
struct Call<'c, D: Driver> {
    driver: &'c mut D,
    wait_policy: WaitPolicy,
    timer: Timer<D::DB>,
    name_holders: bool,
    /// The table that was locked last.
    table: Option<TableName>,
}

/// The table or advisory lock at which the call failed.
enum Place<'a, DB: LockingBackend> {
    Table(DB::Table<'a>),
    Name(AdvisoryPart<DB>),
}

impl<DB: LockingBackend> HoldersQuery<DB> for Place<'_, DB> {
    fn times(&self) -> usize {
        match self {
            Place::Table(_) => DB::Table::ASKS_FOR_HOLDERS,
            Place::Name(_) => 1,
        }
    }

    fn statement(&self, time: Duration) -> Statement<'_, DB> {
        match self {
            Place::Table(table) => table.holders(time),
            Place::Name(part) => part.holders(),
        }
    }

    fn reader(&self) -> fn(&RowRef<'_, DB>) -> deserialize::Result<Holder> {
        match self {
            Place::Table(_) => DB::Table::holder,
            Place::Name(part) => part.holder,
        }
    }
}

type Failed<'a, DB> = Box<(LockError, Place<'a, DB>)>;

impl<'c, DB, D> Call<'c, D>
where
    DB: LockingBackend,
    D: Driver<DB = DB>,
{
    fn new<W>(driver: &'c mut D, set: &LockSet<'_, DB, W>) -> Self {
        let wait_policy = set.wait_policy();
        Call { driver, wait_policy, timer: Timer::start(wait_policy), name_holders: set.names_holders(), table: None }
    }

    async fn run<W>(mut self, mut set: LockSet<'_, DB, W>) -> Result<Locked> {
        let allow_missing = set.allows_missing();
        let savepoint = takes_savepoint(&set);
        let names = set.take_advisory();
        let (tables, asks_again) = set.into_tables()?;
        self.refuse_two_spellings(alike::<DB>(&tables)).await?;
        if asks_again {
            refuse_old_snapshot(self.driver).await?;
        }
        if savepoint {
            self.driver.begin().await?;
        }
        let outcome = match self.names(names).await {
            Ok(()) => self.tables(tables).await,
            Err(failed) => Err(failed),
        };
        // An aborted transaction takes no statement; its rollback puts the setting back.
        let aborted = matches!(&outcome, Err(failed) if self.is_lost(&failed.0));
        let restored = match aborted && !DB::Clock::OUTLIVES_A_ROLLBACK {
            true => Ok(()),
            false => self.timer.restore(self.driver).await,
        };
        match (outcome, restored) {
            (Err(failed), Ok(())) => {
                let (error, place) = *failed;
                Err(self.explain(error, place, savepoint).await)
            }
            (_, Err(error)) => {
                let undone = self.end(savepoint, true).await;
                let rolled_back = savepoint && undone.is_ok();
                let waited = self.timer.elapsed();
                let table = self.table.as_ref().map_or_else(String::new, |table| table.quoted().to_owned());
                let (rows, holders) = (vec![], vec![]);
                let attempt =
                    || Attempt { table, advisory_lock: None, migration: None, rows, waited, holders, rolled_back };
                Err(undone.err().unwrap_or_else(|| error.at(attempt)))
            }
            (Ok(finished), Ok(())) => {
                self.end(savepoint, false).await?;
                for model in &finished {
                    registry::observe(self.driver, |order| order.locked(&model.names()))?;
                }
                Locked::new(finished, allow_missing)
            }
        }
    }

    /// Refuses a set that has one table under two names. Asks the server only about names that are alike.
    async fn refuse_two_spellings(&mut self, pairs: Vec<(TableName, TableName)>) -> Result<()> {
        for (one, other) in pairs {
            let Some(question) = DB::same_table(&one, &other) else { continue };
            let mut same = false;
            let answer = sink(|_| {
                same = true;
                Ok(())
            });
            self.driver.rows(question, answer).await?;
            if same {
                return Err(LockError::two_spellings());
            }
        }
        Ok(())
    }

    /// Returns whether the error has ended the transaction, by itself or by the configuration of the server.
    fn is_lost(&mut self, error: &LockError) -> bool {
        error.transaction_is_lost() || self.driver.is_aborted()
    }

    /// Ends the call's savepoint, if it has one.
    async fn end(&mut self, savepoint: bool, undo: bool) -> Result<()> {
        match (savepoint, undo) {
            (false, _) => Ok(()),
            (true, true) => Ok(self.driver.rollback().await?),
            (true, false) => {
                let released = implicit_rollback::release(self.driver).await;
                if released.is_err() {
                    check_outer_rollback(self.driver).await;
                }
                released
            }
        }
    }

    /// Takes the advisory locks.
    async fn names<'a>(&mut self, names: Vec<AdvisoryPart<DB>>) -> Result<(), Failed<'a, DB>> {
        for name in names {
            if let Err(error) = self.name(&name).await {
                return Err(Box::new((error, Place::Name(name))));
            }
        }
        Ok(())
    }

    async fn name(&mut self, name: &AdvisoryPart<DB>) -> Result<()> {
        self.timer.limit(self.driver).await?;
        let waits = matches!(self.wait_policy, WaitPolicy::Block | WaitPolicy::Timeout(_));
        let call = if waits { AdvisoryCall::LockForTransaction } else { AdvisoryCall::TryLockForTransaction };
        let mut answer = Err((name.no_answer)());
        let read = sink(|row| {
            answer = (name.answer)(call, row);
            Ok(())
        });
        let asked = marked!(self.driver, self.driver.rows(name.statement(call), read));
        let taken = asked.and(answer).map_err(|error| self.timer.class(error))?;
        if taken { Ok(()) } else { Err(contended(&name.name)) }
    }

    /// Locks the tables' parts.
    async fn tables<'a>(&mut self, tables: Vec<DB::Table<'a>>) -> Result<Vec<ErasedRows>, Failed<'a, DB>> {
        let mut finished = Vec::new();
        for mut table in tables {
            match self.table(&mut table).await {
                Ok(()) => finished.extend(table.finish()),
                Err(error) => return Err(Box::new((error, Place::Table(table)))),
            }
        }
        Ok(finished)
    }

    async fn table(&mut self, table: &mut DB::Table<'_>) -> Result<()> {
        registry::observe(self.driver, |order| order.enter(table.name().quoted(), || table.asked()))?;
        self.table = Some(table.name().clone());
        trace::rows(table.name().quoted(), || table.asked());
        while !table.is_done() {
            let Some(sent) = self.timer.send_next(self.driver, table).await? else { break };
            match sent.map_err(|error| table.class(self.timer.class(error))) {
                Ok(()) => table.step_done()?,
                Err(error) => table.recover(error).map_err(|error| error.of_tables(&[table.name().both()]))?,
            }
        }
        Ok(())
    }

    /// Ends the savepoint of a failed call, and adds to the error where it failed.
    async fn explain(&mut self, error: LockError, mut place: Place<'_, DB>, savepoint: bool) -> LockError {
        let lost = self.is_lost(&error);
        let waited = self.timer.elapsed();
        let ended = self.end(savepoint, lost).await;
        let rolled_back = savepoint && lost && ended.is_ok() && !self.driver.is_aborted();
        match ended {
            // The error must not say that the transaction goes on if it does not.
            Err(worse) if !lost || matches!(worse, LockError::ConnectionLost(_)) => return worse,
            _ => {}
        }
        let usable = !lost || rolled_back;
        let blamed = error.is_contended() || error.is_retryable();
        let holders = match self.name_holders && usable && blamed {
            true => holders::in_time(self.driver, self.timer.left(), &mut place).await,
            false => vec![],
        };
        match (error, place) {
            (LockError::Contended { rows, source, .. }, _) => LockError::Contended { rows, holders, source },
            (error, Place::Name(part)) => {
                error.at(|| Attempt { holders, ..Attempt::at_advisory_lock(part.name.text(), waited, rolled_back) })
            }
            (error, Place::Table(table)) => error.at(|| Attempt {
                table: table.name().quoted().to_owned(),
                advisory_lock: None,
                migration: None,
                rows: table.asked(),
                waited,
                holders,
                rolled_back,
            }),
        }
    }
}

/// Returns whether a call sets a savepoint: an aborted transaction answers no question about holders.
pub(super) fn takes_savepoint<DB: LockingBackend, W>(set: &LockSet<'_, DB, W>) -> bool {
    let waits = matches!(set.wait_policy(), WaitPolicy::Block | WaitPolicy::Timeout(_));
    set.names_holders() && waits && !set.is_empty()
}

/// Returns the pairs of names that may denote one table.
pub(super) fn alike<DB: LockingBackend>(tables: &[DB::Table<'_>]) -> Vec<(TableName, TableName)> {
    let mut pairs = Vec::new();
    for (i, one) in tables.iter().map(TablePlan::name).enumerate() {
        let others = tables[i + 1..].iter().map(TablePlan::name);
        pairs.extend(
            others.filter(|other| DB::same_table(one, other).is_some()).map(|other| (one.clone(), other.clone())),
        );
    }
    pairs
}
