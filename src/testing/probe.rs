//! Questions about locks, asked over a connection of their own: which rows are locked, and who waits.

use std::{fmt, time::Duration};

use diesel::result::ConnectionResult;

use super::server::{TestBackend, Wait, activity, until};
use crate::{
    backend::HasLockingClauses,
    blocking::{LockConnection, RunLockSet},
    error::{LockError, Result, RowName},
    key::IntoKey,
    lock_set::{LockSet, Locked},
    sql::LockTarget,
};

/// A connection that asks the server about locks, as an independent witness of a test.
///
/// [`Held`](super::Held) has an example.
pub struct LockProbe<C> {
    conn: C,
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
        Ok(LockProbe { conn: C::establish(url)?, time: Duration::from_secs(20) })
    }

    /// Sets the time after which [`wait_until_blocked`](Self::wait_until_blocked) gives up; 20 seconds by default.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Returns the sessions of this database that wait for a lock at this moment.
    ///
    /// The server is asked: PostgreSQL's [`pg_blocking_pids`][pg], `performance_schema` of [MySQL], and `information_schema` of [MariaDB], which takes up to a
    /// tenth of a second.
    ///
    /// # Errors
    ///
    /// If the server does not tell, such as for lack of privileges.
    ///
    /// [pg]: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
    /// [MySQL]: https://dev.mysql.com/doc/refman/8.4/en/performance-schema-data-lock-waits-table.html
    /// [MariaDB]: https://mariadb.com/kb/en/information-schema-innodb_lock_waits-table/
    pub fn waits(&mut self) -> diesel::QueryResult<Vec<Wait>> {
        C::Backend::all_waits(&mut self.conn)
    }

    /// Returns when at least `sessions` sessions of this database wait for a lock.
    ///
    /// # Panics
    ///
    /// If they do not within the [time](Self::timeout), with what each session does; or if the server does not tell.
    #[track_caller]
    pub fn wait_until_blocked(&mut self, sessions: usize) -> Vec<Wait> {
        let blocked = until(self.time, || {
            C::Backend::all_waits(&mut self.conn).map(|waits| Some(waits).filter(|waits| waits.len() >= sessions))
        });
        match blocked {
            Ok(Some(waits)) => waits,
            Ok(None) => {
                let activity = activity(&mut self.conn);
                panic!("no {sessions} sessions wait for a lock after {:?}:\n{activity}", self.time)
            }
            Err(error) => panic!("the server does not tell who waits: {error}"),
        }
    }
}

impl<C> LockProbe<C>
where
    C: LockConnection<Backend: TestBackend + HasLockingClauses>,
{
    /// Passes if each of these rows is locked by another session, so that it could not be updated without waiting. The question locks those of the
    /// rows that are free, for a moment.
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
