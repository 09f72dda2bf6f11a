//! One call of `lock` over a blocking connection: the set's tables in turn, within the time that the call has.

use diesel::{connection::TransactionManager, result::QueryResult};

use super::{
    blocking::LockConnection,
    send::{each_row, send},
    timer::Timer,
    watch,
};
use crate::{
    backend::{LockingBackend, TableDialogue},
    error::{Attempt, Holder, LockError, Result},
    lock_set::{LockSet, Locked},
    mode::Patience,
};

/// A call under way.
pub(super) struct Call<'c, Conn: LockConnection> {
    conn: &'c mut Conn,
    timer: Timer<Conn::Backend>,
    name_holders: bool,
}

impl<'c, DB, Conn> Call<'c, Conn>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    pub(super) fn new<W>(conn: &'c mut Conn, set: &LockSet<'_, DB, W>) -> Self {
        Call { conn, timer: Timer::start(set.patience()), name_holders: set.names_holders() }
    }

    pub(super) fn run<W>(mut self, set: LockSet<'_, DB, W>) -> Result<Locked> {
        let allow_missing = set.allows_missing();
        let waits = matches!(set.patience(), Patience::Block | Patience::Timeout(_));
        let mut finished = Vec::new();
        let savepoint = self.name_holders && waits && !set.is_empty();
        let tables = set.into_tables()?;
        if savepoint {
            Conn::TransactionManager::begin_transaction(self.conn)?;
        }
        let mut failed = None;
        for mut table in tables {
            match self.table(&mut table) {
                Ok(()) => finished.extend(table.finish()),
                Err(error) => {
                    failed = Some((error, table));
                    break;
                }
            }
        }
        // An aborted transaction takes no statement; its rollback puts the setting back.
        let aborted = failed.as_ref().is_some_and(|(error, _)| error.transaction_is_lost());
        let restored = if aborted { Ok(()) } else { self.timer.restore(self.conn).map_err(LockError::from) };
        match (failed, restored) {
            (Some((error, table)), Ok(())) => Err(self.explain(error, &table, savepoint)),
            (_, Err(error)) => Err(self.end(savepoint, true).err().unwrap_or(error)),
            (None, Ok(())) => {
                self.end(savepoint, false)?;
                for model in &finished {
                    watch::locked(self.conn, || model.names())?;
                }
                Locked::new(finished, allow_missing)
            }
        }
    }

    /// Ends the call's savepoint, if it has one.
    fn end(&mut self, savepoint: bool, undo: bool) -> Result<()> {
        match (savepoint, undo) {
            (false, _) => Ok(()),
            (true, true) => Ok(Conn::TransactionManager::rollback_transaction(self.conn)?),
            (true, false) => Ok(Conn::TransactionManager::commit_transaction(self.conn)?),
        }
    }

    /// Locks one table's part.
    fn table(&mut self, table: &mut DB::Table<'_>) -> Result<()> {
        watch::enter(self.conn, table.name().quoted(), || table.asked())?;
        while !table.is_done() {
            self.timer.limit(self.conn)?;
            let Some(exchange) = table.exchange() else { break };
            send(self.conn, exchange).map_err(|error| self.timer.class(error))?;
            table.end_of_rows()?;
        }
        Ok(())
    }

    /// Says at what the call failed, and ends its savepoint.
    fn explain(&mut self, error: LockError, table: &DB::Table<'_>, savepoint: bool) -> LockError {
        let lost = error.transaction_is_lost();
        if let Err(worse) = self.end(savepoint, lost) {
            return worse;
        }
        let rolled_back = savepoint && lost;
        let waited = self.timer.elapsed();
        let usable = !lost || rolled_back;
        let blamed = error.is_contended() || error.is_retryable();
        // Who held it is a courtesy: that it cannot be told is no reason to hide what went wrong.
        let holders =
            if self.name_holders && usable && blamed { self.holders(table).unwrap_or_default() } else { vec![] };
        match error {
            LockError::Contended { rows, source, .. } => LockError::Contended { rows, holders, source },
            error => error.at(|| Attempt {
                table: table.name().quoted().to_owned(),
                advisory_lock: None,
                rows: table.asked(),
                waited,
                holders,
                rolled_back,
            }),
        }
    }

    fn holders(&mut self, table: &DB::Table<'_>) -> QueryResult<Vec<Holder>> {
        let mut holders = Vec::new();
        each_row(self.conn, table.holders(), |row| {
            holders.push(DB::Table::holder(row)?);
            Ok(())
        })?;
        Ok(holders)
    }
}
