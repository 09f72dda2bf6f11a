//! What a probe of a row finds. How it is found, without waiting, is each server's own: see `probe` of
//! [`postgres`](super::postgres) and of [`mysql`](super::mysql).

/// What another session finds when it wants a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "`Held::Held` reads as `Option::None` does: by its last word")]
pub(crate) enum Held {
    /// It could lock it.
    Free,
    /// Somebody has a lock that conflicts.
    Held,
    /// There is no such row, or nobody else can see it yet.
    Missing,
}

impl Held {
    /// By how many of the rows that `condition` picks a plain read has seen, and how many a `SKIP LOCKED` has got.
    #[track_caller]
    pub(super) fn of(seen: usize, got: usize, table: &str, condition: &str) -> Self {
        match (seen, got) {
            (0, 0) => Self::Missing,
            (1, 0) => Self::Held,
            (1, 1) => Self::Free,
            _ => panic!("`{condition}` picks {seen} rows of {table}: a probe looks at one"),
        }
    }
}
