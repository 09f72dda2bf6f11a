//! The job is locked for as long as the work takes, by the transaction that marks it as done.
//!
//! If the worker dies, the server notices the closed connection, rolls the transaction back, and the job is free at once, as
//! if nothing had happened. That is also the weak side: nobody counts a try that did not live to fail, so a job that takes
//! down its worker is tried for ever. And the open transaction keeps VACUUM from cleaning up: for work of seconds, not more.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use crate::{
    queue::{self, Job, Outcome},
    shared::{Conn, Result},
    work,
};

/// One try at the next job, or `None` if there is none that is due and free.
pub(crate) fn step(
    worker: &str,
    takes: Duration,
    mut on_taken: impl FnMut(&Job) -> Result<()>,
    conn: &mut Conn,
) -> Result<Option<(Job, Outcome)>> {
    conn.transaction(|conn| {
        let Some(job) = queue::due().pick_next::<Job>(conn)? else { return Ok(None) };
        on_taken(&job)?;
        let tries = job.attempts + 1;
        // In a savepoint: what a failing job wrote is undone, but the job stays locked and its failure can be noted.
        let outcome = match conn.transaction(|conn| work::perform(&job, tries, takes, conn)) {
            Ok(()) => job.finish(worker, conn)?,
            Err(error) => job.put_back(tries, &error.to_string(), conn)?,
        };
        Ok(Some((job, outcome)))
    })
}
