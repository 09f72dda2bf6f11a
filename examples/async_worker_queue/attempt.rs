//! One try at one job: pick, perform and write down, in one transaction that keeps the job locked.
//!
//! As in `worker_queue/held.rs`, a worker that dies leaves the job as it was, and free at once.

use std::time::Duration;

use diesel::result::Error as DieselError;
use diesel_async::RunQueryDsl;
use diesel_lockset::{Isolation, nonblocking::prelude::*};

use crate::{
    queue::{self, Fate, Job, Outcome},
    workers::Conn,
};

/// One try at the next job, or `None` if there is none that is due and free.
///
/// A conflict with another transaction undoes all of it, also the work, and all of it is run again. So `on_picked` may be called more than
/// once, and the work may not do anything that a rollback does not undo.
pub(crate) async fn attempt(
    worker: &str,
    takes: Duration,
    on_picked: impl Fn(&Job) + Send + Sync,
    conn: &mut Conn,
) -> Result<Option<Outcome>, LockError> {
    // READ COMMITTED is PostgreSQL's default; under that of MySQL and MariaDB, a job that has changed since the first look is an error.
    LockTransaction::new()
        .isolation(Isolation::ReadCommitted)
        .run(conn, async |conn| {
            let picked: Option<Job> = queue::due().pick_next(conn).await?;
            let Some(job) = picked else { return Ok(None) };
            on_picked(&job);
            let tries = job.attempts + 1;
            // In a savepoint: what a failing job wrote is undone, but the job stays locked and its failure can be noted.
            let performed =
                LockTransaction::new().run(conn, async |conn| perform(&job, tries, takes, conn).await).await;
            match performed {
                Ok(()) => finish(&job, worker, conn).await.map(Some),
                // A lost conflict is not the job's fault: the outer transaction is run again.
                Err(WorkError::Database(lost @ LockError::RetriesExhausted { .. })) => Err(lost),
                Err(error) => put_back(&job, tries, &error.to_string(), conn).await.map(Some),
            }
        })
        .await
}

/// The failure of the work on a job.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("{0}")]
    Application(&'static str),
    #[error(transparent)]
    Database(#[from] LockError),
}

impl From<DieselError> for WorkError {
    fn from(error: DieselError) -> Self {
        WorkError::Database(error.into())
    }
}

async fn perform(job: &Job, tries: i32, takes: Duration, conn: &mut Conn) -> Result<(), WorkError> {
    tokio::time::sleep(takes).await;
    match job.fate(tries) {
        Fate::Succeeds => Ok(()),
        Fate::Fails => Err(WorkError::Application("nobody answered")),
        Fate::BreaksTransaction => {
            diesel::sql_query("SELECT no_such_column").execute(conn).await?;
            Ok(())
        }
    }
}

async fn finish(job: &Job, worker: &str, conn: &mut Conn) -> Result<Outcome, LockError> {
    if job.mark_done().execute(conn).await? == 0 {
        return Ok(Outcome::Lost);
    }
    job.log_line(worker).execute(conn).await?;
    Ok(Outcome::Done)
}

async fn put_back(job: &Job, tries: i32, error: &str, conn: &mut Conn) -> Result<Outcome, LockError> {
    let (change, outcome) = job.mark_failed(tries, error);
    Ok(if change.execute(conn).await? == 0 { Outcome::Lost } else { outcome })
}
