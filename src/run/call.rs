//! One call of `lock` over a blocking connection: the set's advisory locks, then its tables in turn, within the time that the
//! call has.

use diesel::connection::TransactionManager;

use super::{
    advisory_locks::contended, ask_holders, connection::LockConnection, fresh::refuse_old_snapshot, lost,
    rows::each_row, send::send, timer::Timer, watch,
};
use crate::{
    backend::{AdvisoryCall, Clock, LockingBackend, TableDialogue},
    diesel_internals::is_aborted,
    error::{Attempt, Holder, LockError, Result},
    lock_set::{AdvisoryPart, LockSet, Locked},
    mode::Patience,
    sql::Finished,
};

/// A call under way.
pub(super) struct Call<'c, Conn: LockConnection> {
    conn: &'c mut Conn,
    patience: Patience,
    timer: Timer<Conn::Backend>,
    name_holders: bool,
    /// The last one that was locked.
    table: String,
}

/// What the call was at when it failed.
enum Place<'a, DB: LockingBackend> {
    Table(DB::Table<'a>),
    Name(AdvisoryPart<DB>),
}

type Failed<'a, DB> = Box<(LockError, Place<'a, DB>)>;

impl<'c, DB, Conn> Call<'c, Conn>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    pub(super) fn new<W>(conn: &'c mut Conn, set: &LockSet<'_, DB, W>) -> Self {
        let patience = set.patience();
        Call { conn, patience, timer: Timer::start(patience), name_holders: set.names_holders(), table: String::new() }
    }

    pub(super) fn run<W>(mut self, mut set: LockSet<'_, DB, W>) -> Result<Locked> {
        let allow_missing = set.allows_missing();
        let waits = matches!(self.patience, Patience::Block | Patience::Timeout(_));
        let savepoint = self.name_holders && waits && !set.is_empty();
        let names = set.take_advisory();
        let (tables, asks_again) = set.into_tables()?;
        self.refuse_two_spellings(&tables)?;
        if asks_again {
            refuse_old_snapshot(self.conn)?;
        }
        if savepoint {
            Conn::TransactionManager::begin_transaction(self.conn)?;
        }
        let outcome = self.names(names).and_then(|()| self.tables(tables));
        // An aborted transaction takes no statement; its rollback puts the setting back.
        let aborted = matches!(&outcome, Err(failed) if self.is_lost(&failed.0));
        let restored = if aborted && !DB::Clock::OUTLIVES_A_ROLLBACK { Ok(()) } else { self.timer.restore(self.conn) };
        match (outcome, restored) {
            (Err(failed), Ok(())) => {
                let (error, place) = *failed;
                Err(self.explain(error, &place, savepoint))
            }
            (_, Err(error)) => {
                let undone = self.end(savepoint, true);
                let rolled_back = savepoint && undone.is_ok();
                let waited = self.timer.elapsed();
                let (table, rows, holders) = (self.table.clone(), vec![], vec![]);
                let attempt = || Attempt { table, advisory_lock: None, rows, waited, holders, rolled_back };
                Err(undone.err().unwrap_or_else(|| error.at(attempt)))
            }
            (Ok(finished), Ok(())) => {
                self.end(savepoint, false)?;
                for model in &finished {
                    watch::locked(self.conn, || model.names())?;
                }
                Locked::new(finished, allow_missing)
            }
        }
    }

    /// Refuses a set that has one table under two names. Asks the server only about names that are alike.
    fn refuse_two_spellings(&mut self, tables: &[DB::Table<'_>]) -> Result<()> {
        for (i, one) in tables.iter().enumerate() {
            for other in &tables[i + 1..] {
                let Some(question) = DB::same_table(one.name(), other.name()) else { continue };
                let mut same = false;
                each_row(self.conn, question, |_| {
                    same = true;
                    Ok(())
                })?;
                if same {
                    return Err(LockError::two_spellings());
                }
            }
        }
        Ok(())
    }

    /// Whether the error has ended the transaction, by itself or by how the server is set up.
    fn is_lost(&mut self, error: &LockError) -> bool {
        error.transaction_is_lost() || is_aborted(self.conn)
    }

    /// Ends the call's savepoint, if it has one.
    fn end(&mut self, savepoint: bool, undo: bool) -> Result<()> {
        match (savepoint, undo) {
            (false, _) => Ok(()),
            (true, true) => Ok(Conn::TransactionManager::rollback_transaction(self.conn)?),
            (true, false) => lost::release(self.conn).inspect_err(|_| lost::heed_outer(self.conn)),
        }
    }

    /// Takes the advisory locks.
    fn names<'a>(&mut self, names: Vec<AdvisoryPart<DB>>) -> Result<(), Failed<'a, DB>> {
        for name in names {
            if let Err(error) = self.name(&name) {
                return Err(Box::new((error, Place::Name(name))));
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &AdvisoryPart<DB>) -> Result<()> {
        self.timer.limit(self.conn)?;
        let waits = matches!(self.patience, Patience::Block | Patience::Timeout(_));
        let call = if waits { AdvisoryCall::LockForTransaction } else { AdvisoryCall::TryLockForTransaction };
        let mut answer = Err((name.no_answer)());
        each_row(self.conn, name.statement(call), |row| {
            answer = (name.answer)(call, row);
            Ok(())
        })
        .and(answer)
        .map_err(|error| self.timer.class(error))
        .and_then(|taken| if taken { Ok(()) } else { Err(contended(&name.name)) })
    }

    /// Locks the tables' parts.
    fn tables<'a>(&mut self, tables: Vec<DB::Table<'a>>) -> Result<Vec<Finished>, Failed<'a, DB>> {
        let mut finished = Vec::new();
        for mut table in tables {
            match self.table(&mut table) {
                Ok(()) => finished.extend(table.finish()),
                Err(error) => return Err(Box::new((error, Place::Table(table)))),
            }
        }
        Ok(finished)
    }

    fn table(&mut self, table: &mut DB::Table<'_>) -> Result<()> {
        watch::enter(self.conn, table.name().quoted(), || table.asked())?;
        table.name().quoted().clone_into(&mut self.table);
        while !table.is_done() {
            self.timer.limit(self.conn)?;
            let Some(exchange) = table.exchange() else { break };
            let exchange = self.timer.in_time(exchange);
            match send(self.conn, exchange).map_err(|error| table.class(self.timer.class(error))) {
                Ok(()) => table.end_of_rows()?,
                Err(error) if table.goes_on(&error) => {}
                Err(error) => return Err(error.of_tables(&[table.name().both()])),
            }
        }
        Ok(())
    }

    /// Says at what the call failed, and ends its savepoint.
    fn explain(&mut self, error: LockError, place: &Place<'_, DB>, savepoint: bool) -> LockError {
        let lost = self.is_lost(&error);
        let waited = self.timer.elapsed();
        let ended = self.end(savepoint, lost);
        let rolled_back = savepoint && lost && ended.is_ok() && !is_aborted(self.conn);
        match ended {
            // An error that says that the transaction goes on must not come back if it does not.
            Err(worse) if !lost || matches!(worse, LockError::ConnectionLost(_)) => return worse,
            _ => {}
        }
        let usable = !lost || rolled_back;
        let blamed = error.is_contended() || error.is_retryable();
        let holders = if self.name_holders && usable && blamed { self.holders(place) } else { vec![] };
        match (error, place) {
            (LockError::Contended { rows, source, .. }, _) => LockError::Contended { rows, holders, source },
            (error, Place::Name(part)) => {
                error.at(|| Attempt { holders, ..Attempt::at_advisory_lock(part.name.text(), waited, rolled_back) })
            }
            (error, Place::Table(table)) => error.at(|| Attempt {
                table: table.name().quoted().to_owned(),
                advisory_lock: None,
                rows: table.asked(),
                waited,
                holders,
                rolled_back,
            }),
        }
    }

    fn holders(&mut self, place: &Place<'_, DB>) -> Vec<Holder> {
        let time = self.timer.left();
        match place {
            Place::Table(table) => ask_holders::in_time(self.conn, time, DB::Table::ASKS_FOR_HOLDERS, |time| {
                (table.holders(time), DB::Table::holder)
            }),
            Place::Name(part) => ask_holders::in_time(self.conn, time, 1, |_| (part.holders(), part.holder)),
        }
    }
}
