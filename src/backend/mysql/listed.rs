//! A queue of rows whose keys go into statements, a limited number at a time.

use std::vec;

use diesel::mysql::Mysql;

use crate::sql::{Keys, ModelRows, RowId};

/// The queued rows, and the keys that the next statement is about.
#[derive(Debug, Default)]
pub(super) struct Listed {
    rest: vec::IntoIter<RowId>,
    now: Option<Box<dyn Keys<Mysql>>>,
}

impl Listed {
    /// Queues these rows, and lists the keys of the first of them, up to `most`. Returns whether there are any.
    pub(super) fn begin(&mut self, all: Vec<RowId>, rows: &dyn ModelRows<Mysql>, most: usize) -> bool {
        self.rest = all.into_iter();
        self.next(rows, most)
    }

    /// Lists the keys of the next queued rows, up to `most`. Returns whether there are any.
    pub(super) fn next(&mut self, rows: &dyn ModelRows<Mysql>, most: usize) -> bool {
        let next: Vec<RowId> = self.rest.by_ref().take(most).collect();
        self.now = (!next.is_empty()).then(|| rows.keys(&next));
        self.now.is_some()
    }

    /// Lists these keys, and clears the queue.
    pub(super) fn set(&mut self, keys: Box<dyn Keys<Mysql>>) {
        *self = Listed { rest: vec::IntoIter::default(), now: Some(keys).filter(|keys| !keys.is_empty()) };
    }

    /// Returns the keys that the next statement is about, if there are any.
    pub(super) fn keys(&self) -> Option<&dyn Keys<Mysql>> {
        self.now.as_deref()
    }
}
