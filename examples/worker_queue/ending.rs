//! The end of a try at a job, written down over a blocking connection.

use diesel::{prelude::*, query_dsl::methods::ExecuteDsl};

use crate::{
    queue::{Change, Job, Outcome},
    shared::Conn,
};

impl Job {
    /// To be called in a transaction: it sends two statements, which are one change.
    pub(crate) fn finish(&self, worker: &str, conn: &mut Conn) -> QueryResult<Outcome> {
        if execute(self.mark_done(), conn)? == 0 {
            return Ok(Outcome::Lost);
        }
        execute(self.log_line(worker), conn)?;
        Ok(Outcome::Done)
    }

    /// The job failed, for the `tries`th time.
    pub(crate) fn put_back(&self, tries: i32, error: &str, conn: &mut Conn) -> QueryResult<Outcome> {
        let (change, outcome) = self.mark_failed(tries, error);
        Ok(if execute(change, conn)? == 0 { Outcome::Lost } else { outcome })
    }
}

/// `RunQueryDsl` is implemented for Diesel's own statements by name, and not for "any statement".
fn execute(change: impl Change, conn: &mut Conn) -> QueryResult<usize> {
    ExecuteDsl::execute(change, conn)
}
