//! The stages of the plan for one table.

/// A stage, with the model, query or chunk of keys that it is about. Each stage but `Done` sends one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Reads the rows that query `query` of model `model` chooses.
    Resolve {
        model: usize,
        query: usize,
    },
    /// Reads the rows that a limited query chooses, once more, now that rows are locked.
    Again {
        model: usize,
        query: usize,
    },
    /// Asks for the order in which the server has the candidate rows.
    Sort,
    /// Locks a chunk of the candidate rows.
    Lock {
        chunk: usize,
    },
    /// Asks whether the rows of the table can be locked, before the chunk is locked.
    Ask {
        chunk: usize,
    },
    /// Has the session remember that the rows can be locked.
    Remember {
        chunk: usize,
    },
    /// Rechecks which of the locked rows that the query chose still match it.
    Recheck {
        model: usize,
        query: usize,
    },
    /// Asks which keys that did not come back are, to the server, keys of locked rows or, with `busy`, of busy rows. They can differ in
    /// letter case.
    Same {
        model: usize,
        busy: bool,
    },
    /// Reads which of the rows that did not come back exist. Such a row is busy.
    Absent {
        model: usize,
    },
    /// Tries to lock the rows that did not come back, where a plain read would show the transaction's snapshot. A row that cannot be locked
    /// is busy.
    Try {
        model: usize,
    },
    /// Asks for the order in which the server has the locked rows, some of which were locked late.
    Order {
        model: usize,
    },
    Done,
}
