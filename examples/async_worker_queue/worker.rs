//! A worker: a task that does one job after the other until none is left or it is told to stop.

use std::time::Duration;

use diesel::dsl::{exists, select};
use diesel_async::{RunQueryDsl, pooled_connection::deadpool::PoolError};
use diesel_lockset::LockError;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    attempt::attempt,
    queue::{self, Job, Outcome},
    shared::{Error, Result},
    workers::Pool,
};

/// The pause when no job is due and free. A long-lived worker would `LISTEN`, and wake up for a `NOTIFY`.
const IDLE: Duration = Duration::from_millis(20);

/// The pause after a lost connection.
const RECONNECT: Duration = Duration::from_millis(100);

/// What a worker tells the one who started it.
#[derive(Debug)]
pub(crate) enum Event {
    Picked(i64),
    Ended(Outcome),
    /// With the job that was picked: it is free again, or done.
    LostConnection,
}

pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) pool: Pool,
    pub(crate) takes: Duration,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) events: mpsc::UnboundedSender<(String, Event)>,
}

enum Next {
    Tried(Outcome),
    /// All jobs that are left are locked by other workers, or not due.
    Wait,
    /// No job is left.
    Finished,
}

impl Worker {
    /// Works until no job is left or a stop is requested.
    ///
    /// The stop is looked at between two jobs. A `select!` of the stop and the job would drop the job's future in the middle of a
    /// statement: its work would be lost, and its connection too.
    pub(crate) async fn run(mut self) -> Result<()> {
        while !*self.stop.borrow() {
            match self.next().await {
                Ok(Next::Tried(outcome)) => self.tell(Event::Ended(outcome)),
                Ok(Next::Wait) => self.pause(IDLE).await,
                Ok(Next::Finished) => break,
                Err(error) if is_of_the_connection(&error) => {
                    self.tell(Event::LostConnection);
                    self.pause(RECONNECT).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// With a connection for this time only: a worker that pauses keeps none, and a broken one is not used twice.
    async fn next(&self) -> Result<Next> {
        let mut conn = self.pool.get().await?;
        let on_picked = |job: &Job| self.tell(Event::Picked(job.id));
        if let Some(outcome) = attempt(&self.name, self.takes, on_picked, &mut conn).await? {
            return Ok(Next::Tried(outcome));
        }
        let is_left = select(exists(queue::left())).get_result(&mut conn).await;
        Ok(if is_left.map_err(LockError::from)? { Next::Wait } else { Next::Finished })
    }

    /// A stop ends the pause.
    async fn pause(&mut self, time: Duration) {
        let _ = timeout(time, self.stop.wait_for(|stop| *stop)).await;
    }

    fn tell(&self, event: Event) {
        // If nobody listens, the runtime is about to end.
        let _ = self.events.send((self.name.clone(), event));
    }
}

/// Returns whether another connection can do better. The job of a lost connection is as it was, or, if the answer to a `COMMIT` was lost
/// with it, done or as it was: the queue tells.
fn is_of_the_connection(error: &Error) -> bool {
    let lost = error.downcast_ref().is_some_and(LockError::is_connection_lost);
    lost || error.is::<PoolError>()
}
