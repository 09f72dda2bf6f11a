//! Plain reads that had no row: they are sent once more.
//!
//! MariaDB answers a query that is cancelled at the right moment as if it had found no row, without an error: on 10.11, 385 of 4,649
//! cancellations of `SELECT .. WHERE id BETWEEN 4 AND 6 ORDER BY v DESC LIMIT 2` by `KILL QUERY`. Of cancelled statements that sort nothing,
//! none was answered so, nor of those that waited for a lock.

use std::mem;

/// The record of the last plain read.
#[derive(Debug, Default)]
pub(super) struct EmptyRead {
    is_empty: bool,
    was_empty: bool,
}

impl EmptyRead {
    /// Begins a plain read. Its first row is to call [`has_row`](Self::has_row).
    pub(super) fn begin(&mut self) -> &mut Self {
        self.is_empty = true;
        self
    }

    pub(super) fn has_row(&mut self) {
        self.is_empty = false;
    }

    /// Returns whether the last statement was a plain read without a row that is to be sent once more. The second answer is believed.
    pub(super) fn is_doubtful(&mut self) -> bool {
        self.was_empty = mem::take(&mut self.is_empty) && !self.was_empty;
        self.was_empty
    }
}
