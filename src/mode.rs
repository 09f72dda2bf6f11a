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
    Fail,
    /// Leave it out.
    SkipLocked,
}

/// What a whole call does about rows that somebody else holds.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
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

impl Patience {
    /// A timeout; none at all means not to wait.
    pub(crate) fn timeout(duration: Duration) -> Self {
        if duration.is_zero() { Patience::NoWait } else { Patience::Timeout(duration) }
    }

    /// What the locking statements say: the two that do not wait skip what is held and look at what is missing, because a
    /// `NOWAIT` that fails takes the transaction with it and does not say which rows were busy.
    pub(crate) fn wait(self) -> Wait {
        match self {
            Patience::Block | Patience::Timeout(_) => Wait::Block,
            Patience::NoWait | Patience::SkipLocked => Wait::SkipLocked,
        }
    }
}

/// How much of what others do a transaction sees while it runs.
///
/// What each level means for a lock set is in [PostgreSQL's manual][manual]: under READ COMMITTED, its default, a set sees
/// what is there when it has got its locks; under the other two, a row that changed after the transaction's first statement
/// is [`LockError::Serialization`](crate::LockError::Serialization).
///
/// On MySQL and MariaDB, whose default is REPEATABLE READ, a set locks and returns the rows as they are now in either, and a query of
/// it chooses among the rows that the transaction's snapshot shows, which it takes before it waits: what is counted afterwards by a plain
/// query is as old. READ COMMITTED shows what is committed, and locks no gaps. Under SERIALIZABLE every plain read takes shared locks
/// there, so a query of a set, a pick or a claim is refused. MariaDB
/// from 11.6.2 on treats a row that changed after the snapshot as PostgreSQL does ([`innodb_snapshot_isolation`][mariadb]).
///
/// [manual]: https://www.postgresql.org/docs/current/transaction-iso.html
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
