//! The options of a lock: its strength, its wait policy, and the isolation level of its transaction.

use std::time::Duration;

/// The strength of a row lock, weakest first: how much it denies to other transactions.
///
/// | strength | PostgreSQL | MySQL | MariaDB | other transactions may still |
/// | --- | --- | --- | --- | --- |
/// | `KeyShare` | `FOR KEY SHARE` | | | change everything but the key |
/// | `Share` | `FOR SHARE` | `FOR SHARE` | `LOCK IN SHARE MODE` | read with a share lock |
/// | `NoKeyUpdate` | `FOR NO KEY UPDATE` | | | insert rows that reference this one |
/// | `Update` | `FOR UPDATE` | `FOR UPDATE` | `FOR UPDATE` | read without a lock, nothing else |
///
/// SQLite has no row locks: there a set of the default strength makes the transaction the only writer.
///
/// The variants are ordered by strength, so [`Ord::max`] returns the stronger of two. The strengths that conflict are listed in
/// [PostgreSQL's manual](https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS). The page
/// [foreign keys](crate::_documentation::foreign_keys) says which one to choose. A set takes them by
/// [`for_share`](crate::LockSet::for_share) and its variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// `FOR KEY SHARE`: the key cannot be changed, and the row cannot be deleted.
    KeyShare,
    /// `FOR SHARE`: the row cannot be changed; other transactions may lock it with the same strength.
    Share,
    /// `FOR NO KEY UPDATE`: to change anything but the key. A plain `UPDATE` takes this lock.
    NoKeyUpdate,
    /// `FOR UPDATE`: to change or delete the row. The default.
    Update,
}

/// The wait policy of one statement: its treatment of a row that another session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Wait {
    /// Waits for the row, as long as the server waits.
    #[default]
    Block,
    /// Fails the whole statement: `NOWAIT`.
    #[allow(dead_code, reason = "of one backend only")]
    Fail,
    /// Leaves the row out: `SKIP LOCKED`.
    SkipLocked,
}

/// The wait policy of a whole call: its treatment of rows that other sessions hold.
///
/// Most calls name it by a method: `no_wait()`, `skip_locked()`, `timeout(..)`. `wait(policy)` takes one that is known at run time only, from
/// a configuration for example. It is also the marker type of such a call.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// use diesel_lockset::WaitPolicy;
///
/// # let impatient = true;
/// let policy = if impatient { WaitPolicy::NoWait } else { WaitPolicy::Block };
/// let locked = LockSet::new().ids::<Account>([1, 2]).wait(policy).lock(conn)?;
/// # assert_eq!(locked.rows::<Account>().len(), 2);
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WaitPolicy {
    /// Waits as long as the server waits.
    #[default]
    Block,
    /// Fails instead of waiting.
    NoWait,
    /// Leaves the rows out.
    SkipLocked,
    /// Waits at most this long, for all rows together. Zero means not to wait.
    Timeout(Duration),
}

impl WaitPolicy {
    /// Returns the policy, with a timeout of zero as `NoWait`.
    pub(crate) fn normalized(self) -> Self {
        match self {
            WaitPolicy::Timeout(duration) => WaitPolicy::timeout(duration),
            policy => policy,
        }
    }

    /// Returns the policy for a timeout: zero means not to wait, `None` to wait as long as the server does.
    pub(crate) fn timeout(timeout: impl Into<Option<Duration>>) -> Self {
        match timeout.into() {
            None => WaitPolicy::Block,
            Some(Duration::ZERO) => WaitPolicy::NoWait,
            Some(duration) => WaitPolicy::Timeout(duration),
        }
    }

    /// Returns the wait policy of the call's locking statements. The two policies that do not wait both use `SKIP LOCKED` and then look at
    /// the rows that did not come back: a `NOWAIT` that fails takes the transaction with it and does not name the busy rows.
    pub(crate) fn wait(self) -> Wait {
        match self {
            WaitPolicy::Block | WaitPolicy::Timeout(_) => Wait::Block,
            WaitPolicy::NoWait | WaitPolicy::SkipLocked => Wait::SkipLocked,
        }
    }
}

/// The isolation level of a transaction: which commits of other transactions it sees while it runs.
///
/// READ COMMITTED is the level for locking. Each statement sees what was committed before it, so all promises hold, and every kind of query
/// is answered. PostgreSQL's default is READ COMMITTED; that of MySQL and MariaDB is REPEATABLE READ.
///
/// # What a lock set, a pick or a claim answers
///
/// The page [isolation](crate::_documentation::isolation#what-a-lock-set-a-pick-or-a-claim-answers) has the answers of every kind of query at
/// each level, on each server, and what locks and levels prevent. In short: at READ COMMITTED all are answered, as committed. At the levels
/// above it PostgreSQL reports a row that has changed since the first statement as [`Serialization`](crate::LockError::Serialization), and a
/// query whose conditions are on more than the row's own columns is refused with [`Unsupported`](crate::LockError::Unsupported) where no
/// statement could check it.
///
/// Where the answer depends on the level, the crate reads the level of the open transaction by a separate statement. On MySQL and MariaDB
/// this is the level of the session: a `SET TRANSACTION ISOLATION LEVEL` for the next transaction alone shows in no variable. Use
/// [`LockTransaction::isolation`](crate::LockTransaction::isolation), or set the level for the session.
///
/// On SQLite every transaction is serializable, and the level changes nothing.
///
/// # Example: a level for one transaction
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// use diesel_lockset::Isolation;
///
/// let locked = LockTransaction::new()
///     .isolation(Isolation::ReadCommitted)
///     .run(conn, |conn| Account::lock_by_id(1, conn));
/// # assert_eq!(locked.unwrap().id, 1);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see what was committed before the first of them.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}
