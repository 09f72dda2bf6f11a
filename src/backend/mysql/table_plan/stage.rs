//! The steps of a table's conversation.

/// A stage, with the model, query or chunk of keys that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Which rows does query `query` of model `model` choose?
    Resolve {
        model: usize,
        query: usize,
    },
    /// And now that the rows are locked?
    Again {
        model: usize,
        query: usize,
    },
    /// In which order does the server have the candidates?
    Sort,
    /// Lock a chunk of them.
    Lock {
        chunk: usize,
    },
    /// Can the rows be locked? To be known before the chunk is.
    Ask {
        chunk: usize,
    },
    /// They can; to be remembered by the session.
    Remember {
        chunk: usize,
    },
    /// Which of the locked rows that the query chose does it match?
    Recheck {
        model: usize,
        query: usize,
    },
    /// Which of the keys that did not come back are those of rows that did, or that are busy, to the server? Letters may be large or small.
    Same {
        model: usize,
        busy: bool,
    },
    /// Which of the rows that did not come back exist?
    Absent {
        model: usize,
    },
    /// And where a plain read would show the transaction's snapshot: are they busy, if one tries to lock them?
    Try {
        model: usize,
    },
    /// In which order does the server have the locked rows, some of which were locked late?
    Order {
        model: usize,
    },
    /// Nothing is left to ask, and the end is an error.
    Fail,
    Done,
}
