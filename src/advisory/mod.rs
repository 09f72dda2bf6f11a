//! Advisory locks: locks on a name that the application agrees on, beside all rows. Says which lock; takes none.

mod name;
mod number;

use std::{fmt, marker::PhantomData, time::Duration};

pub use self::name::{AdvisoryName, KeyText};
use crate::{key::IntoKey, lockable::Lockable, mode::WaitPolicy};

/// A lock on a name: of an object, of an object and a method, or of the application's own choice.
///
/// It binds only those who ask for it: rows stay readable, writable and lockable by anybody. Use it to run a piece of code
/// once at a time for one object, across processes and hosts, above all around work that is not in the database.
///
/// | verb | the lock lives | in a transaction |
/// | --- | --- | --- |
/// | [`hold`](crate::RunAdvisoryLock::hold), [`try_hold`](crate::RunAdvisoryLock::try_hold) | around a transaction of the closure's: until after its commit | until that transaction ends |
/// | [`hold_session`](crate::RunAdvisoryLock::hold_session) | while the closure runs, without a transaction | while the closure runs |
/// | [`acquire`](crate::RunAdvisoryLock::acquire) | as long as the guard | as long as the guard |
/// | [`acquire_for_transaction`](crate::RunAdvisoryLock::acquire_for_transaction) | | until that transaction ends |
///
/// Waits as long as it takes, unless [`timeout`](Self::timeout) says otherwise. The same session can take a lock that it
/// holds again, and holds it until it has been released as often.
///
/// # In a transaction, on MySQL and MariaDB
///
/// Their locks are the session's: neither a commit nor a rollback releases them. So the crate does, at the end of a
/// transaction that it has begun itself: a `hold` in a `hold`, in a [`LockTransaction`](crate::LockTransaction) or in a
/// [`with_lock`](crate::LockDsl::with_lock) lasts until the outermost of them has ended, as on PostgreSQL. In a transaction
/// that was begun elsewhere, by Diesel's `transaction` or `begin_test_transaction` for example, `hold` and `try_hold` fail with
/// [`LockError::Unsupported`](crate::LockError::Unsupported) before anything is sent: nobody tells the crate when that one is
/// committed, and to release the lock before would let the next one in too early. Take the lock before the transaction, or
/// begin that with `LockTransaction`. `hold_session` and `acquire` promise no such thing and work there.
///
/// Under REPEATABLE READ a transaction that has read something before it takes the lock goes on seeing what was there then:
/// read with a lock, or take the advisory lock first.
///
/// A deadlock among rows rolls the transaction back and leaves the session its advisory locks; they are released as the
/// verbs promise. A circle of waits for advisory locks alone is a [`Deadlock`](crate::LockError::Deadlock). One of a row and
/// an advisory lock is not detected: it ends when the first timeout does, so give one.
///
/// # The key
///
/// PostgreSQL's advisory locks have a `bigint` for a name, and each database its own. It is the first 8 bytes, big-endian,
/// of the SHA-256 of the text [`AdvisoryName::text`]: for the account 3 of the model `Account`, and a scope if there is one,
/// `Account|3` or `Account|3|send`; for a name of the application's own, `|nightly-report`. In SQL:
///
/// ```sql
/// SELECT ('x' || left(encode(sha256('Account|3|send'), 'hex'), 16))::bit(64)::bigint
/// ```
///
/// and in Python: `int.from_bytes(hashlib.sha256(b"Account|3|send").digest()[:8], "big", signed=True)`.
///
/// MySQL and MariaDB have texts for names, and one set of them for all databases of a server. The name is that of
/// [`AdvisoryName::key_in`]: the first 16 digits, in lower case, of the SHA-256 of `<database>|<text>`. In SQL:
///
/// ```sql
/// SELECT GET_LOCK(LEFT(SHA2(CONCAT(DATABASE(), '|', 'Account|3|send'), 256), 16), 45)
/// ```
///
/// and in Python: `hashlib.sha256(b"shop|Account|3|send").hexdigest()[:16]`. The database is the one that the connection is
/// in; it must be in one, and stay there: a session that has gone to another (`USE`) by the time it should release a lock is
/// ended.
///
/// # On a replica
///
/// Advisory locks are not replicated. On a hot standby of PostgreSQL, one would exclude nobody on the primary: every verb fails there with
/// [`LockError::Unsupported`](crate::LockError::Unsupported), told by the statement that would have taken the lock
/// (`.. WHERE NOT pg_is_in_recovery()`); nothing is taken and a transaction goes on.
///
/// On MySQL and MariaDB nothing tells a replica: `read_only` is also set on primaries, and some may write all the same. There, and
/// on a cluster such as Galera, each server has [locks of its own][galera]: have all who take part connect to the same one.
///
/// [galera]: https://mariadb.com/kb/en/mariadb-galera-cluster-known-limitations/
///
/// # Behind a pooler
///
/// A pooler that hands out the server's session for a transaction at a time (pgbouncer's [transaction mode][pool]) breaks all
/// forms that outlive a transaction: lock and unlock may run in different sessions. Then two clients have the lock at once,
/// since the server takes them for one session, or the lock is left behind in a session that goes on, and nobody gets it until
/// the pooler ends that; neither the client nor this crate can tell. There, use
/// [`acquire_for_transaction`](crate::RunAdvisoryLock::acquire_for_transaction), or call `hold` inside of a transaction. Row
/// locks need nothing of the kind: they end with their transaction.
///
/// Diesel's prepared statements stay behind in a session too. Unless the pooler looks after them
/// ([`max_prepared_statements`][prepared] of pgbouncer 1.21 and later), switch them off:
/// `conn.set_prepared_statement_cache_size(CacheSize::Disabled)`.
///
/// [pool]: https://www.pgbouncer.org/features.html
/// [prepared]: https://www.pgbouncer.org/config.html#max_prepared_statements
///
/// # Example: one mail, however many ask for it
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// # let order: Order = orders::table.find(1_i64).first(conn).unwrap();
/// let sent = AdvisoryLock::on(&order).scope("send").hold(conn, |conn| {
///     let order: Order = orders::table.find(order.id).first(conn)?; // what is there now that nobody else sends
///     if order.status == "sent" {
///         return Ok(false);
///     }
///     // .. send the mail ..
///     diesel::update(orders::table.find(order.id)).set(orders::status.eq("sent")).execute(conn)?;
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
    /// How long the attribute `#[advisory_locked]` waits unless it says otherwise, and a good choice for others: longer than
    /// most work takes, shorter than most callers wait.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(45);

    /// The lock of an object: of the type name of its model and its primary key.
    ///
    /// Two models of one table have different names, and so different locks. Two models of one name, in two modules, have the
    /// same ones: the path is no part of it, so that a model can be moved. Give them a [`scope`](Self::scope) if that is not meant.
    ///
    /// # Keys that are equal to the server only
    ///
    /// The lock is that of the key's text, and the server may hold keys for equal that have different texts; each then has a lock
    /// of its own, and two sessions can have both at once. That `1.5` and `1.50` are one number is seen to. This is not:
    /// - texts of a `char(n)`: a row that was loaded has the blanks at the end, a key from elsewhere perhaps not;
    /// - texts without regard to large and small letters or accents: PostgreSQL's `citext` and nondeterministic collations, on
    ///   MySQL and MariaDB nearly every collation, which mostly do not see blanks at the end either;
    /// - times with a zone, if they are not all written in the same one, and times that are finer than their column.
    ///
    /// Take such a lock by the row as it was loaded, not by a key that somebody has typed in: `on(&row)`, not `id`. All who ask
    /// for the row then have the same text.
    pub fn on<T: Lockable<KeyColumns: KeyText<T::Key>>>(row: &T) -> Self {
        Self::id::<T>(row.lock_key())
    }

    /// The lock of the object with this primary key: `AdvisoryLock::id::<Account>(3)`.
    ///
    /// The key is taken as it is given, not as the table has it: see [`on`](Self::on).
    pub fn id<T: Lockable<KeyColumns: KeyText<T::Key>>>(id: impl IntoKey<T::Key>) -> Self {
        Self::new(AdvisoryName::of::<T>(&id.into_key()))
    }

    /// The lock of a name that the application has chosen. It is never that of an object, whatever it says.
    pub fn named(name: &str) -> Self {
        Self::new(AdvisoryName::own(name))
    }

    fn new(name: AdvisoryName) -> Self {
        AdvisoryLock { name, wait_policy: WaitPolicy::Block, mode: PhantomData }
    }
}

impl<M> AdvisoryLock<M> {
    /// The same for one purpose only, such as the name of a method: locks of different scopes do not exclude each other.
    pub fn scope(mut self, scope: &str) -> Self {
        self.name = self.name.scoped(scope);
        self
    }

    /// Waits so long at most. Zero means not to wait.
    ///
    /// Then [`hold`](crate::RunAdvisoryLock::hold) and those that must have the lock fail with
    /// [`LockError::TimedOut`](crate::LockError::TimedOut), after a timeout of zero with
    /// [`LockError::Contended`](crate::LockError::Contended);
    /// [`try_hold`](crate::RunAdvisoryLock::try_hold) and those that need not have it give nothing.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.wait_policy = WaitPolicy::timeout(timeout);
        self
    }

    /// Shared: any number of sessions can hold it at a time, while nobody holds it exclusively.
    ///
    /// PostgreSQL only.
    pub fn shared(self) -> AdvisoryLock<Shared> {
        AdvisoryLock { name: self.name, wait_policy: self.wait_policy, mode: PhantomData }
    }

    /// What is locked: the canonical text, and the key that the server sees.
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

/// One holder at a time, as a type.
#[derive(Debug, Clone, Copy)]
pub struct Exclusive;

/// Any number of holders who share, as a type.
#[derive(Debug, Clone, Copy)]
pub struct Shared;

/// Exclusive or shared.
#[doc(hidden)]
pub trait AdvisoryMode {
    const SHARED: bool;
}

impl AdvisoryMode for Exclusive {
    const SHARED: bool = false;
}

impl AdvisoryMode for Shared {
    const SHARED: bool = true;
}
