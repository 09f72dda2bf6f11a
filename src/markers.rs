//! The strengths, the wait policies and the modes of advisory locks, as marker types. They stand in the types of locked queries, requests and
//! advisory locks, and are seldom named.

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
    )*};
}

markers! {
    /// The strength `FOR UPDATE`, as a type.
    ForUpdate,
    /// The strength `FOR NO KEY UPDATE`, as a type.
    ForNoKeyUpdate,
    /// The strength `FOR SHARE`, as a type.
    ForShare,
    /// The strength `FOR KEY SHARE`, as a type.
    ForKeyShare,
    /// The wait policy that waits for rows that are held, as a type.
    Blocking,
    /// The wait policy `SKIP LOCKED`, as a type.
    SkipLocked,
    /// The wait policy that fails instead of waiting, as a type.
    NoWait,
    /// The wait policy that waits for a limited time, as a type.
    Timeout,
    /// The mode of an exclusive lock, which has one holder at a time: that of a lock that was not made [shared](crate::AdvisoryLock::shared).
    Exclusive,
    /// The mode of a [shared](crate::AdvisoryLock::shared) lock, which any number of sessions can hold at a time.
    Shared,
    /// The kind of an advisory lock that ends with its transaction, as a type: for the bound [`SupportsAdvisory`](crate::bounds::SupportsAdvisory).
    Transactional,
}
