//! The job is marked as taken until some moment, and nothing is held while the work goes on.
//!
//! If the worker dies, the job is chosen again when that moment has passed. If it only was slow, two workers have worked on
//! the job; but only the later one's lease is still there, so only that one can end it. What the work does outside of the
//! database may then happen twice. (A worker whose work can take longer renews its lease meanwhile; this one does not.)

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use crate::{
    queue::{Job, MOST_TRIES, Outcome, due, in_millis, jobs},
    shared::{Conn, Result},
    work,
};

/// Marks the next job as this worker's. Outside of a transaction, so when this returns others see it.
///
/// The try is counted before it is made: a job that takes down every worker will be dead, too.
pub(crate) fn take(worker: &str, lease: Duration, conn: &mut Conn) -> Result<Option<Job>> {
    let lease = i64::try_from(lease.as_millis())?;
    let mut taken: Vec<Job> =
        due().filter(jobs::locked_until.is_null().or(jobs::locked_until.le(in_millis(0).nullable()))).claim(
            1,
            (
                jobs::locked_until.eq(in_millis(lease).nullable()),
                jobs::locked_by.eq(worker),
                jobs::attempts.eq(jobs::attempts + 1),
            ),
            conn,
        )?;
    Ok(taken.pop())
}

/// One try at the next job, or `None` if there is none that is due and free.
pub(crate) fn step(
    worker: &str,
    (takes, lease): (Duration, Duration),
    mut on_taken: impl FnMut(&Job) -> Result<()>,
    conn: &mut Conn,
) -> Result<Option<(Job, Outcome)>> {
    let Some(job) = take(worker, lease, conn)? else { return Ok(None) };
    on_taken(&job)?;
    let tried = match job.attempts {
        tries if tries > MOST_TRIES => Err("no worker has survived it".into()),
        tries => work::perform(&job, tries, takes, conn),
    };
    let outcome = match tried {
        Ok(()) => conn.transaction(|conn| job.finish(worker, conn))?,
        Err(error) => job.put_back(job.attempts, &error.to_string(), conn)?,
    };
    Ok(Some((job, outcome)))
}
