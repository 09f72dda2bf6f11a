//! Advisory locks: locks on a name instead of a row. This module describes a lock and sends nothing.

mod name;
mod number;

use std::{fmt, marker::PhantomData, time::Duration};

pub use self::name::{AdvisoryName, KeyText};
use crate::{
    key::IntoKey,
    lockable::Lockable,
    markers::{Exclusive, Shared},
    mode::WaitPolicy,
};

/// A lock on a name: that of an object, of an object and a method, or of the application's own choice.
///
/// It excludes only sessions that take it too: rows stay readable, writable and lockable by all others. Use it to run a piece of code
/// once at a time for one object, across processes and hosts, above all around work that is not in the database.
///
/// | method | lifetime of the lock | in an open transaction |
/// | --- | --- | --- |
/// | [`hold`](crate::RunAdvisoryLock::hold), [`try_hold`](crate::RunAdvisoryLock::try_hold) | around a transaction of the closure's: until after its commit | until the open transaction ends |
/// | [`hold_session`](crate::RunAdvisoryLock::hold_session) | while the closure runs, without a transaction | while the closure runs |
/// | [`acquire`](crate::RunAdvisoryLock::acquire), [`acquire_owned`](crate::RunAdvisoryLock::acquire_owned) | as long as the guard | as long as the guard |
/// | [`acquire_for_transaction`](crate::RunAdvisoryLock::acquire_for_transaction) | | until the open transaction ends |
///
/// The methods wait without a limit, unless [`timeout`](Self::timeout) sets one. A session can take a lock that it already
/// holds, and holds it until it has been released as often.
///
/// # In a transaction, on MySQL and MariaDB
///
/// On these servers advisory locks belong to the session: neither a commit nor a rollback releases them. So the crate does, at the end of
/// a transaction that it has begun itself: a `hold` in a `hold`, in a [`LockTransaction`](crate::LockTransaction) or in a
/// [`with_lock`](crate::LockDsl::with_lock) lasts until the outermost of them has ended, as on PostgreSQL. In a transaction
/// that was begun elsewhere, by Diesel's `transaction` or `begin_test_transaction` for example, `hold` and `try_hold` fail with
/// [`LockError::Unsupported`](crate::LockError::Unsupported) before anything is sent. The crate cannot observe the commit of a transaction
/// that it did not begin, and a lock that is released before the commit lets the next session in too early. Take the lock before the
/// transaction, or begin the transaction with `LockTransaction`. `hold_session` and `acquire` make no such promise and work there.
///
/// Under REPEATABLE READ a transaction that has read something before it takes the lock goes on reading from its old snapshot: use a
/// locking read, or take the advisory lock first.
///
/// A deadlock among rows rolls the transaction back and leaves the session its advisory locks; they are released as the
/// methods promise. A circle of waits for advisory locks alone is a [`Deadlock`](crate::LockError::Deadlock). A circle of a row and
/// an advisory lock is not detected: it ends when the first timeout does, so set one.
///
/// # The key
///
/// On PostgreSQL the name of an advisory lock is a `bigint`, and each database has its own. It is the first 8 bytes, big-endian,
/// of the SHA-256 of the text [`AdvisoryName::text`]: for the account 3 of the model `Account`, and a scope if there is one,
/// `Account|3` or `Account|3|send`; for a name of the application's own, `|nightly-report`. In SQL:
///
/// ```sql
/// SELECT ('x' || left(encode(sha256('Account|3|send'), 'hex'), 16))
///     ::bit(64)::bigint
/// ```
///
/// and in Python: `int.from_bytes(hashlib.sha256(b"Account|3|send").digest()[:8], "big", signed=True)`.
///
/// On MySQL and MariaDB the name is a text, and all databases of a server share one set of names. It is that of
/// [`AdvisoryName::key_in`]: the first 16 digits, in lower case, of the SHA-256 of `<database>|<text>`. In SQL:
///
/// ```sql
/// SELECT GET_LOCK(
///     LEFT(SHA2(CONCAT(DATABASE(), '|', 'Account|3|send'), 256), 16), 45)
/// ```
///
/// and in Python: `hashlib.sha256(b"shop|Account|3|send").hexdigest()[:16]`. The database is the current one of
/// the connection. The connection must have one, and keep it: a session that has changed to another (`USE`) by the time it should
/// release a lock is ended.
///
/// # On a replica
///
/// Advisory locks are not replicated. A lock on a hot standby of PostgreSQL would exclude no session on the primary, so every method fails
/// there with [`LockError::Unsupported`](crate::LockError::Unsupported). The statement that would have taken the lock detects it
/// (`.. WHERE NOT pg_is_in_recovery()`): nothing is taken, and a transaction goes on.
///
/// On MySQL and MariaDB nothing identifies a replica: `read_only` is also set on primaries, and some users may write all the same. There,
/// and on a cluster such as Galera, each server has [locks of its own][galera]: connect all sessions that take part to the same server.
///
/// [galera]: https://mariadb.com/kb/en/mariadb-galera-cluster-known-limitations/
///
/// # Behind a pooler
///
/// A pooler that assigns the server's session for one transaction at a time (pgbouncer's [transaction mode][pool]) breaks all
/// methods whose lock outlives a transaction: lock and unlock may run in different sessions. Then two clients have the lock at once,
/// since the server sees one session, or the lock stays in a session that goes on, and no client gets it until
/// the pooler ends that session. Neither the client nor this crate can detect it. Behind such a pooler, use
/// [`acquire_for_transaction`](crate::RunAdvisoryLock::acquire_for_transaction), or call `hold` inside of a transaction. Row
/// locks are not affected: they end with their transaction. The page [poolers](crate::_documentation::poolers) has the other modes, and other
/// poolers.
///
/// Diesel's prepared statements also stay in a session. Unless the pooler tracks them
/// ([`max_prepared_statements`][prepared] of pgbouncer 1.21 and later), switch them off:
/// `conn.set_prepared_statement_cache_size(CacheSize::Disabled)`.
///
/// [pool]: https://www.pgbouncer.org/features.html
/// [prepared]: https://www.pgbouncer.org/config.html#max_prepared_statements
///
/// # Example: send a mail once, however many sessions ask for it
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// # let order: Order = orders::table.find(1_i64).first(conn).unwrap();
/// let sent = AdvisoryLock::on(&order).scope("send").hold(conn, |conn| {
///     // Reloaded under the lock.
///     let order: Order = orders::table.find(order.id).first(conn)?;
///     if order.status == "sent" {
///         return Ok(false);
///     }
///     // .. send the mail ..
///     diesel::update(orders::table.find(order.id))
///         .set(orders::status.eq("sent"))
///         .execute(conn)?;
///     Ok::<_, LockError>(true)
/// });
/// assert!(sent.unwrap());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a lock is not taken until a verb such as `hold` is called on it"]
pub struct AdvisoryLock<M = Exclusive> {
    name: AdvisoryName,
    wait_policy: WaitPolicy,
    mode: PhantomData<M>,
}

impl AdvisoryLock {
    /// The timeout of the attribute `#[advisory_locked]` unless it sets another, and a good choice elsewhere: longer than
    /// most work takes, shorter than most callers wait.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(45);

    /// Returns the lock of an object, named by the type name of its model and its primary key.
    ///
    /// Two models of one table have different names, and so different locks. Two models of the same name, in two modules, share their
    /// locks: the path is no part of the name, so that a model can be moved. Give them a [`scope`](Self::scope) if that is not intended.
    ///
    /// # Keys that are equal to the server only
    ///
    /// The lock is named by the text of the key, and the server may treat keys with different texts as equal. Each text then has a lock
    /// of its own, and two sessions can have both at once. `1.5` and `1.50` are written as one text. Not handled are:
    /// - texts of a `char(n)`: a row that was loaded has the trailing blanks, a key from elsewhere perhaps not;
    /// - texts that are compared without regard to case or accents: PostgreSQL's `citext` and nondeterministic collations, on
    ///   MySQL and MariaDB nearly every collation; most of these ignore trailing blanks too;
    /// - times with a zone, if they are not all written in the same one, and times that are finer than their column.
    ///
    /// Take such a lock by the row as it was loaded, not by a key that a user has typed in: `on(&row)`, not `id`. All sessions that lock
    /// the row then use the same text.
    pub fn on<T: Lockable<KeyColumns: KeyText<T::Key>>>(row: &T) -> Self {
        Self::id::<T>(row.lock_key())
    }

    /// Returns the lock of the object with this primary key: `AdvisoryLock::id::<Account>(3)`.
    ///
    /// The key is taken as it is given, not as the table has it: see [`on`](Self::on).
    pub fn id<T: Lockable<KeyColumns: KeyText<T::Key>>>(id: impl IntoKey<T::Key>) -> Self {
        Self::new(AdvisoryName::of::<T>(&id.into_key()))
    }

    /// Returns the lock of a name that the application has chosen. It is never that of an object, whatever the name is.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let conn = &mut establish();
    /// let import = AdvisoryLock::named("import").scope("2026-11-29");
    /// let done = import.try_hold(conn, |conn| {
    ///     // .. one session at a time ..
    /// #   let _ = conn;
    ///     Ok::<_, LockError>("imported")
    /// });
    /// assert_eq!(done.unwrap(), Some("imported")); // `None`: held
    /// # }
    /// ```
    pub fn named(name: &str) -> Self {
        Self::new(AdvisoryName::own(name))
    }

    fn new(name: AdvisoryName) -> Self {
        AdvisoryLock { name, wait_policy: WaitPolicy::Block, mode: PhantomData }
    }
}

impl<M> AdvisoryLock<M> {
    /// Restricts the lock to one purpose, such as the name of a method: locks of different scopes do not exclude each other.
    pub fn scope(mut self, scope: &str) -> Self {
        self.name = self.name.scoped(scope);
        self
    }

    /// Waits at most this long. Zero means not to wait, `None` to wait as long as the server does.
    ///
    /// After that, [`hold`](crate::RunAdvisoryLock::hold) and the other methods that must have the lock fail with
    /// [`LockError::TimedOut`](crate::LockError::TimedOut), after a timeout of zero with
    /// [`LockError::Contended`](crate::LockError::Contended).
    /// [`try_hold`](crate::RunAdvisoryLock::try_hold) and the other `try_` methods return `None` or `false`.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.wait_policy = WaitPolicy::timeout(timeout);
        self
    }

    /// Makes the lock shared: any number of sessions can hold it at a time, while no session holds it exclusively.
    ///
    /// PostgreSQL only.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let (one, two, three) = (&mut establish(), &mut establish(), &mut establish());
    /// let prices = AdvisoryLock::named("prices");
    /// let reading = prices.clone().shared().acquire(one).unwrap();
    /// let too = prices.clone().shared().try_acquire(two).unwrap();
    /// assert!(too.is_some());
    /// assert!(prices.try_acquire(three).unwrap().is_none());
    /// # drop((reading, too));
    /// # }
    /// ```
    pub fn shared(self) -> AdvisoryLock<Shared> {
        AdvisoryLock { name: self.name, wait_policy: self.wait_policy, mode: PhantomData }
    }

    /// Returns the name of the lock, with its canonical text and the key that the server sees.
    #[must_use]
    pub fn name(&self) -> &AdvisoryName {
        &self.name
    }

    pub(crate) fn wait_policy(&self) -> WaitPolicy {
        self.wait_policy
    }
}

impl<M: AdvisoryMode> fmt::Debug for AdvisoryLock<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AdvisoryLock { name, wait_policy, .. } = self;
        f.debug_struct("AdvisoryLock")
            .field("name", name)
            .field("shared", &M::SHARED)
            .field("wait_policy", wait_policy)
            .finish()
    }
}

/// The mode of an advisory lock: exclusive or shared.
#[doc(hidden)]
pub trait AdvisoryMode: Send + Sync + 'static {
    const SHARED: bool;
}

impl AdvisoryMode for Exclusive {
    const SHARED: bool = false;
}

impl AdvisoryMode for Shared {
    const SHARED: bool = true;
}
