//! The two words of a row lock: how strong it is and what it does about a row that someone else holds.

/// How much a row lock forbids to others, weakest first.
///
/// | strength | PostgreSQL | lets others |
/// | --- | --- | --- |
/// | `KeyShare` | `FOR KEY SHARE` | change everything but the key |
/// | `Share` | `FOR SHARE` | read with a share lock |
/// | `NoKeyUpdate` | `FOR NO KEY UPDATE` | insert rows that reference this one |
/// | `Update` | `FOR UPDATE` | read without a lock, nothing else |
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
    /// Leave it out.
    SkipLocked,
}
