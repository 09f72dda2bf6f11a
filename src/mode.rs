//! The words of a lock: how strong it is, what it does about a row that someone else holds, how isolated it is.

use std::time::Duration;

/// How much a row lock forbids to others, weakest first.
///
/// | strength | PostgreSQL | MySQL | MariaDB | lets others |
/// | --- | --- | --- | --- | --- |
/// | `KeyShare` | `FOR KEY SHARE` | | | change everything but the key |
/// | `Share` | `FOR SHARE` | `FOR SHARE` | `LOCK IN SHARE MODE` | read with a share lock |
/// | `NoKeyUpdate` | `FOR NO KEY UPDATE` | | | insert rows that reference this one |
/// | `Update` | `FOR UPDATE` | `FOR UPDATE` | `FOR UPDATE` | read without a lock, nothing else |
///
/// The order is the order of strength, so the stronger of two is [`Ord::max`]. Who conflicts with whom is in
/// [PostgreSQL's manual](https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// `FOR KEY SHARE`: the key stays, and so does the row.
    KeyShare,
    /// `FOR SHARE`: the row stays as it is; others may share it.
    Share,
    /// `FOR NO KEY UPDATE`: for changing anything but the key, what a plain `UPDATE` takes.
    NoKeyUpdate,
    /// `FOR UPDATE`: for changing or deleting the row. The default.
    Update,
}

/// What to do about a row that somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Wait {
    /// Wait for it, as long as the server waits.
    #[default]
    Block,
    /// Fail, with all that the statement wants.
    #[allow(dead_code, reason = "of one backend only")]
    Fail,
    /// Leave it out.
    SkipLocked,
}

/// What a whole call does about rows that somebody else holds.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitPolicy {
    /// Wait as long as the server waits.
    #[default]
    Block,
    /// Give up at once.
    NoWait,
    /// Leave them out.
    SkipLocked,
    /// Wait so long in all.
    Timeout(Duration),
}

impl WaitPolicy {
    /// A timeout; none at all means not to wait.
    pub(crate) fn timeout(duration: Duration) -> Self {
        if duration.is_zero() { WaitPolicy::NoWait } else { WaitPolicy::Timeout(duration) }
    }

    /// What the locking statements say: the two that do not wait skip what is held and look at what is missing, because a
    /// `NOWAIT` that fails takes the transaction with it and does not say which rows were busy.
    pub(crate) fn wait(self) -> Wait {
        match self {
            WaitPolicy::Block | WaitPolicy::Timeout(_) => Wait::Block,
            WaitPolicy::NoWait | WaitPolicy::SkipLocked => Wait::SkipLocked,
        }
    }
}

/// How much of what others do a transaction sees while it runs.
///
/// READ COMMITTED is the level for locking: each statement sees what was committed before it, so all promises hold, and a query of any
/// kind is answered. It is PostgreSQL's default; that of MySQL and MariaDB is REPEATABLE READ.
///
/// # What a lock set, a pick or a claim answers
///
/// | asked for | PostgreSQL | MySQL, MariaDB |
/// | --- | --- | --- |
/// | **READ COMMITTED** | | |
/// | rows by key | as committed | as committed |
/// | a query about the row's own columns | as committed: evaluated on the version that is locked | the same |
/// | any other query: a join, a subquery, raw SQL, a function that is not the server's own | as committed: asked once more when its rows are held | the same |
/// | **REPEATABLE READ** | | |
/// | rows by key | [`Serialization`](crate::LockError::Serialization) if the row has changed since the first statement; [`Missing`](crate::LockError::Missing) means that the snapshot has no such row | as committed; MariaDB from 11.6.2 on: as PostgreSQL ([`innodb_snapshot_isolation`][mariadb]) |
/// | a query about the row's own columns | chosen from the snapshot; `Serialization` if a chosen row has changed since | chosen from the snapshot, evaluated again on the version that is locked: no row that does not match, but none that began to match since |
/// | any other query | refused with [`Unsupported`](crate::LockError::Unsupported) before a row is touched | refused, the same |
/// | **SERIALIZABLE** | | |
/// | rows by key | as under REPEATABLE READ | as committed |
/// | a query about the row's own columns | as under REPEATABLE READ | refused: its plain reads would take shared locks, and two of them would deadlock |
/// | any other query | answered, and checked by the server at the commit: that holds if every transaction that writes what the conditions read is SERIALIZABLE | refused |
///
/// What a transaction reads *afterwards*, by queries of its own, follows the level as well: under REPEATABLE READ on MySQL and MariaDB the row
/// is fresh, and its children, counted by a plain `SELECT`, may be those of a snapshot from before the wait, if any statement of the
/// transaction took one: a set by query does. Count them at READ COMMITTED, or by a locking read.
///
/// The level of a transaction that others have begun is asked for, by a statement of its own, where the answer depends on it: for "any other
/// query". On MySQL and MariaDB that is the level of the session: `SET TRANSACTION ISOLATION LEVEL` for the next transaction alone shows in no
/// variable; use [`LockTransaction::isolation`](crate::LockTransaction::isolation), or set it for the session. A claim outside of a transaction
/// is a transaction of this crate's and chooses its level itself.
///
/// The levels in the manuals: [PostgreSQL][postgres], [MySQL][mysql].
///
/// [postgres]: https://www.postgresql.org/docs/current/transaction-iso.html
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/innodb-transaction-isolation-levels.html
/// [mariadb]: https://mariadb.com/docs/server/server-usage/storage-engines/innodb/innodb-system-variables#innodb_snapshot_isolation
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see what was committed before the first of them.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}
