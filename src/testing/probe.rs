//! Questions about locks, asked over a connection of their own: which rows are locked, and who waits.

use std::{collections::BTreeSet, fmt, time::Duration};

use diesel::result::{ConnectionError, ConnectionResult};

use super::server::{TestBackend, activity, until, waits};
use crate::{
    backend::HasLockingClauses,
    blocking::{LockConnection, RunLockSet},
    error::{LockError, Result, RowName},
    key::IntoKey,
    lock_set::{LockSet, Locked},
    sql::LockTarget,
    waits::{LockWait, LockWaits},
};

/// A connection that asks the server about locks, as an independent witness of a test.
///
/// [`Held`](super::Held) has an example.
pub struct LockProbe<C> {
    conn: C,
    database: String,
    time: Duration,
}

impl<C> LockProbe<C>
where
    C: LockConnection<Backend: TestBackend>,
{
    /// Connects to the database of this url.
    ///
    /// # Errors
    ///
    /// If there is no connection to be had.
    pub fn connect(url: &str) -> ConnectionResult<Self> {
        let mut conn = C::establish(url)?;
        let database = C::Backend::database(&mut conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(LockProbe { conn, database, time: Duration::from_secs(20) })
    }

    /// Sets the time after which [`wait_until_blocked`](Self::wait_until_blocked) gives up; 20 seconds by default.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Returns when at least this number of sessions of this database wait for a lock. The server is asked,
    /// by [`LockWaits::snapshot`](crate::RunLockWaits::snapshot), until it says so.
    ///
    /// # Panics
    ///
    /// If they do not within the [time](Self::timeout), with what each session does; or if the server does not tell.
    #[track_caller]
    pub fn wait_until_blocked(&mut self, sessions: usize) -> LockWaits {
        let LockProbe { conn, database, time } = self;
        let blocked = until(*time, || {
            let waits = waits(conn)?;
            let here = |wait: &&LockWait| {
                waits.session(wait.waiter).is_some_and(|session| session.database.as_ref() == Some(&*database))
            };
            let waiters: BTreeSet<i64> = waits.waits.iter().filter(here).map(|wait| wait.waiter).collect();
            Ok::<_, LockError>((waiters.len() >= sessions).then_some(waits))
        });
        match blocked {
            Ok(Some(waits)) => waits,
            Ok(None) => panic!("no {sessions} sessions wait for a lock after {time:?}:\n{}", activity(conn)),
            Err(error) => panic!("the server does not tell who waits: {error}"),
        }
    }
}

impl<C> LockProbe<C>
where
    C: LockConnection<Backend: TestBackend + HasLockingClauses>,
{
    /// Passes if each of these rows is locked by another session, so that it could not be updated without waiting. The question locks those
    /// of the rows that are free, for a moment.
    ///
    /// # Panics
    ///
    /// If a row is free or does not exist, with its name; or if the statement fails.
    #[track_caller]
    pub fn assert_locked<T: LockTarget<C::Backend>>(&mut self, keys: impl IntoIterator<Item = impl IntoKey<T::Key>>) {
        let keys: Vec<T::Key> = keys.into_iter().map(IntoKey::into_key).collect();
        let locked = self.look::<T>(keys);
        let free: Vec<_> =
            locked.rows::<T>().iter().map(|row| format!("{} {:?}", T::TYPE_NAME, row.lock_key())).collect();
        let missing = names(locked.missing());
        assert!(
            free.is_empty() && missing.is_empty(),
            "not locked by another session: {free:?}; missing: {missing:?}\n{}",
            activity(&mut self.conn)
        );
    }

    /// Passes if each of these rows can be locked without waiting. The question locks them for a moment.
    ///
    /// # Panics
    ///
    /// If a row is locked or does not exist, with its name; or if the statement fails.
    #[track_caller]
    pub fn assert_free<T: LockTarget<C::Backend>>(&mut self, keys: impl IntoIterator<Item = impl IntoKey<T::Key>>) {
        let locked = self.look::<T>(keys.into_iter().map(IntoKey::into_key).collect());
        let (held, missing) = (names(locked.skipped()), names(locked.missing()));
        assert!(
            held.is_empty() && missing.is_empty(),
            "locked by another session: {held:?}; missing: {missing:?}\n{}",
            activity(&mut self.conn)
        );
    }

    #[track_caller]
    fn look<T: LockTarget<C::Backend>>(&mut self, keys: Vec<T::Key>) -> Locked {
        let locked: Result<Locked, LockError> = self
            .conn
            .transaction(|conn| RunLockSet::lock(LockSet::new().ids::<T>(keys).skip_locked().allow_missing(), conn));
        locked.unwrap_or_else(|error| panic!("the rows cannot be asked for: {error}"))
    }
}

fn names(rows: &[RowName]) -> Vec<String> {
    rows.iter().map(ToString::to_string).collect()
}

impl<C> fmt::Debug for LockProbe<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockProbe").field("time", &self.time).finish_non_exhaustive()
    }
}
