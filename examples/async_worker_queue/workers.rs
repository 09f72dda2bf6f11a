//! All workers: starts them as tasks, counts what they tell, and waits until each has ended.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use diesel_async::pooled_connection::{AsyncDieselConnectionManager, deadpool};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    shared::Result,
    tally::Tally,
    worker::{Event, Worker},
};

#[cfg(feature = "postgres")]
type AsyncConn = diesel_async::AsyncPgConnection;
#[cfg(not(feature = "postgres"))]
type AsyncConn = diesel_async::AsyncMysqlConnection;

pub(crate) type Pool = deadpool::Pool<AsyncConn>;
pub(crate) type Conn = deadpool::Object<AsyncConn>;

#[derive(Debug)]
pub(crate) struct Workers {
    /// Of the database that has the queue.
    pub(crate) url: String,
    pub(crate) count: usize,
    /// The duration of the work on a job.
    pub(crate) takes: Duration,
}

impl Workers {
    /// Works until no job is left or a stop is requested. Returns when every worker has ended its last job.
    pub(crate) async fn run(&self, stop: watch::Receiver<bool>) -> Result<Tally> {
        let pool = Pool::builder(AsyncDieselConnectionManager::new(&self.url)).max_size(self.count).build()?;
        let (sender, mut events) = mpsc::unbounded_channel();
        // If this future ends early, by an error for instance, the set ends the tasks.
        let mut tasks = JoinSet::new();
        for number in 1..=self.count {
            let worker = Worker {
                name: number.to_string(),
                pool: pool.clone(),
                takes: self.takes,
                stop: stop.clone(),
                events: sender.clone(),
            };
            tasks.spawn(worker.run());
        }
        drop(sender);

        let (begin, mut tally, mut picked) = (Instant::now(), Tally::default(), HashMap::new());
        while let Some((worker, event)) = events.recv().await {
            match event {
                Event::Picked(job) => drop(picked.insert(worker, job)),
                Event::Ended(outcome) => {
                    picked.remove(&worker);
                    tally.count(outcome, begin.elapsed());
                }
                Event::LostConnection => tally.kills += 1,
            }
        }
        tally.in_hand.extend(picked);
        while let Some(ended) = tasks.join_next().await {
            ended??; // a panic of a worker, then its error
        }
        Ok(tally)
    }
}
