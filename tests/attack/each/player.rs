//! A session of the attack: its transactions, and how they end.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use diesel::{Connection, connection::TransactionManager, result::Error as DieselError};
use diesel_lockset::{LockError, LockTransaction};
use fastrand::Rng;

use super::{
    Conn, Driver,
    judge::Judge,
    verbs::RunLockTransaction as _,
    world::{Role, World},
};
use crate::{
    book::{Rule, Tally},
    journal::{Change, Write},
    support::driver::Session as _,
};

/// Knows whether a transaction is open.
type Transactions = <Conn as Connection>::TransactionManager;

pub(super) struct Player<'w> {
    session: Driver,
    pub(super) judge: Judge<'w>,
    operation: u64,
}

/// Why a transaction did not commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// An error, and when it was there.
    #[error("the lock")]
    Lock(#[source] LockError, Instant),
    #[error("undone on purpose")]
    Undo,
}

impl From<LockError> for End {
    fn from(error: LockError) -> Self {
        End::Lock(error, Instant::now())
    }
}

impl From<DieselError> for End {
    fn from(error: DieselError) -> Self {
        End::Lock(error.into(), Instant::now())
    }
}

/// What a transaction will have done once it is committed.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) writes: Vec<Write>,
    pub(super) passing: Vec<Change>,
    /// Whether nothing but the commit is left.
    complete: bool,
}

/// The value, which no two threads want at once: a mutex because what a future holds must be `Send`.
fn own<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w> Player<'w> {
    pub(super) fn new(world: &'w World<'w>, thread: usize, role: Role) -> Self {
        let mut session = world.connect(role);
        let pid = session.pid();
        Player { session, judge: Judge::new(world, thread, role, pid), operation: 0 }
    }

    /// The generator of the next operation.
    pub(super) fn next(&mut self) -> Rng {
        self.operation += 1;
        let Judge { world, thread, .. } = self.judge;
        self.judge.operation = self.operation;
        world.settings.draws(world.phase.name, world.level, thread, self.operation)
    }

    /// What they have counted together.
    pub(super) fn sum(players: Vec<Self>) -> Tally {
        let mut sum = Tally::default();
        players.into_iter().for_each(|player| sum.add(player.judge.tally));
        sum
    }

    /// Runs a transaction, tells the journal what it did, and counts how it ended. Whether it was committed.
    ///
    /// `passing` are the keys that it may delete or insert.
    pub(super) fn transaction(
        &mut self,
        retries: bool,
        passing: &[i32],
        mut body: impl FnMut(&mut Conn, &mut Judge<'w>, &mut Effects) -> Result<(), End> + Send,
    ) -> bool {
        let journal = &self.judge.world.journal;
        let begun: Vec<Change> = passing.iter().map(|key| journal.begin(*key)).collect();
        let effects = Mutex::new(Effects { passing: begun, ..Effects::default() });
        let judge = Mutex::new(&mut self.judge);
        let mut body = |conn: &mut Conn| {
            let (judge, effects) = (&mut **own(&judge), &mut *own(&effects));
            effects.complete = false;
            effects.writes.clear();
            effects.passing.iter_mut().for_each(|change| change.decided = None);
            judge.begin();
            body(conn, judge, effects)?;
            effects.complete = true;
            Ok(())
        };
        let end: Result<(), End> = if retries {
            let hook = |error: &(dyn Error + 'static), _| {
                if let Some(End::Lock(error, at)) = error.downcast_ref() {
                    own(&judge).met(error, *at);
                }
            };
            LockTransaction::new().retries(3).before_retry(hook).run(self.session.conn(), &mut body)
        } else {
            self.session.conn().transaction(&mut body)
        };
        let Effects { writes, passing, complete } = effects.into_inner().unwrap_or_else(PoisonError::into_inner);
        let committed = end.is_ok();
        // Only of a commit that failed it is not known whether it was one.
        if committed || !complete {
            journal.committed(writes.into_iter().filter(|_| committed));
            passing.iter().for_each(|change| journal.settle(change, committed));
        }
        self.ended(&end);
        committed
    }

    /// Counts how a transaction or a call by itself ended. A session that is not what it should be is replaced.
    pub(super) fn ended(&mut self, end: &Result<(), End>) {
        self.judge.tally.operations += 1;
        let mut usable = true;
        if let Err(End::Lock(error, at)) = end {
            self.judge.met(error, *at);
            usable = self.judge.is_expected(error);
        }
        let depth = Transactions::transaction_manager_status_mut(self.session.conn()).transaction_depth();
        if !matches!(depth, Ok(None)) {
            usable = false;
            if !self.judge.world.phase.cancels() {
                self.judge.broken(Rule::Error, "a session whose transaction has ended, for Diesel too", (depth, end));
            }
        }
        if !usable {
            self.reconnect();
        }
    }

    /// Goes on in a session of its own, when the server has freed what the one before held.
    fn reconnect(&mut self) {
        self.session = self.judge.world.connect(self.judge.role);
        let pid = self.session.pid();
        self.judge.replace(pid);
    }

    /// A call by itself, outside of a transaction.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut Conn) -> Result<T, LockError>) -> Option<T> {
        match call(self.session.conn()) {
            Ok(value) => {
                self.ended(&Ok(()));
                Some(value)
            }
            Err(error) => {
                self.ended(&Err(error.into()));
                None
            }
        }
    }
}
