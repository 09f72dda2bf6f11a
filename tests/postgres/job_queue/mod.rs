//! A job queue as published ones are written: it owns a pool, its tasks have an enum, a UUID, times and JSON, its errors are an enum with
//! transparent variants, and its unit tests run in `begin_test_transaction`.
//!
//! Two such queues were moved onto the crate; what they stumbled over is in `tests/FRICTIONS.md`.

mod model;
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    pg::Pg,
    prelude::*,
    r2d2::{ConnectionManager, Pool, PooledConnection},
    result::Error as DieselError,
};
use diesel_lockset::prelude::*;
use uuid::Uuid;

use self::model::{NewTask, Task, TaskState, tasks};

const MOST_ATTEMPTS: i32 = 3;

/// The errors of the queue. The transparent variants hide the source of what is in them.
#[derive(Debug, thiserror::Error)]
enum QueueError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Database(#[from] DieselError),
    #[error(transparent)]
    Pool(#[from] diesel::r2d2::PoolError),
    #[error("task {0} belongs to another worker by now")]
    Lost(Uuid),
}

type Connections = ConnectionManager<PgConnection>;

/// A queue that owns its pool. Each method takes a connection out of it, and exists once more as a function over a connection, for callers
/// that have one.
#[derive(Clone)]
struct Queue {
    pool: Pool<Connections>,
}

impl Queue {
    fn connection(&self) -> Result<PooledConnection<Connections>, QueueError> {
        Ok(self.pool.get()?)
    }

    fn enqueue(&self, task: &NewTask) -> Result<Task, QueueError> {
        enqueue(&mut self.connection()?, task)
    }

    fn claim(&self, most: u32, lease: TimeDelta) -> Result<Vec<Task>, QueueError> {
        claim(&mut self.connection()?, most, lease)
    }

    fn finish(&self, task: &Task) -> Result<(), QueueError> {
        finish(&mut self.connection()?, task)
    }

    fn retry(&self, task: &Task, error: &str, pause: TimeDelta) -> Result<TaskState, QueueError> {
        retry(&mut self.connection()?, task, error, pause)
    }

    fn reschedule(&self, id: Uuid, at: DateTime<Utc>) -> Result<Option<Task>, QueueError> {
        reschedule(&mut self.connection()?, id, at)
    }

    fn purge(&self) -> Result<usize, QueueError> {
        purge(&mut self.connection()?)
    }

    /// Runs the next task in the transaction that holds it, and returns it as it was picked.
    fn run_next(&self, work: impl Fn(&Task) -> Result<(), QueueError>) -> Result<Option<Task>, QueueError> {
        run_next(&mut self.connection()?, work)
    }
}

fn enqueue<C: LockConnection<Backend = Pg>>(conn: &mut C, task: &NewTask) -> Result<Task, QueueError> {
    let new = diesel::insert_into(tasks::table).values(task).returning(Task::as_returning());
    Ok(new.get_result(conn)?)
}

/// The tasks whose time has come and that no worker has, the most urgent one first.
fn due() -> tasks::BoxedQuery<'static, Pg> {
    let waits = tasks::state.eq_any([TaskState::New, TaskState::Retried]);
    let abandoned = tasks::state.eq(TaskState::Running).and(tasks::lease_until.le(Utc::now()));
    tasks::table
        .filter(waits.nullable().or(abandoned))
        .filter(tasks::scheduled_at.le(Utc::now()))
        .order((tasks::scheduled_at, tasks::id))
        .into_boxed()
}

fn claim<C: LockConnection<Backend = Pg>>(conn: &mut C, most: u32, lease: TimeDelta) -> Result<Vec<Task>, QueueError> {
    let taken = (
        tasks::state.eq(TaskState::Running),
        tasks::lease_until.eq(Utc::now() + lease),
        tasks::attempts.eq(tasks::attempts + 1),
    );
    Ok(due().claim(most, taken, conn)?)
}

/// The row of a task, locked, unless another worker has claimed it since.
fn mine<C: LockConnection<Backend = Pg>>(conn: &mut C, task: &Task) -> Result<Task, QueueError> {
    let now = task.lock(conn).optional()?;
    now.filter(|now| now.attempts == task.attempts && now.state == TaskState::Running).ok_or(QueueError::Lost(task.id))
}

fn finish<C: LockConnection<Backend = Pg>>(conn: &mut C, task: &Task) -> Result<(), QueueError> {
    LockTransaction::new().run(conn, |conn| {
        let task = mine(conn, task)?;
        diesel::update(&task).set(tasks::state.eq(TaskState::Finished)).execute(conn)?;
        Ok(())
    })
}

fn retry<C: LockConnection<Backend = Pg>>(
    conn: &mut C,
    task: &Task,
    error: &str,
    pause: TimeDelta,
) -> Result<TaskState, QueueError> {
    LockTransaction::new().run(conn, |conn| {
        let task = mine(conn, task)?;
        let state = if task.attempts < MOST_ATTEMPTS { TaskState::Retried } else { TaskState::Failed };
        let outcome =
            (tasks::state.eq(state), tasks::error.eq(error), tasks::scheduled_at.eq(task.scheduled_at + pause));
        diesel::update(&task).set(outcome).execute(conn)?;
        Ok(state)
    })
}

/// Moves a task that no worker has to another time; `None` if a worker has it, or if it does not exist.
fn reschedule<C: LockConnection<Backend = Pg>>(
    conn: &mut C,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<Option<Task>, QueueError> {
    conn.transaction(|conn| {
        let row = tasks::table.find(id).filter(tasks::state.ne(TaskState::Running));
        let Some(task) = row.pick_next::<Task>(conn)? else { return Ok(None) };
        let moved = diesel::update(&task).set(tasks::scheduled_at.eq(at)).returning(Task::as_returning());
        Ok(Some(moved.get_result(conn)?))
    })
}

/// Deletes what is done. What somebody looks at is left for the next time.
fn purge<C: LockConnection<Backend = Pg>>(conn: &mut C) -> Result<usize, QueueError> {
    LockTransaction::new().run(conn, |conn| {
        let done = tasks::table.filter(tasks::state.eq_any([TaskState::Finished, TaskState::Failed]));
        let done = LockSet::new().query::<Task>(done).skip_locked().lock(conn)?;
        let ids: Vec<Uuid> = done.rows::<Task>().iter().map(|task| task.id).collect();
        Ok(diesel::delete(tasks::table.filter(tasks::id.eq_any(ids))).execute(conn)?)
    })
}

fn run_next<C: LockConnection<Backend = Pg>>(
    conn: &mut C,
    work: impl Fn(&Task) -> Result<(), QueueError>,
) -> Result<Option<Task>, QueueError> {
    LockTransaction::new().run(conn, |conn| {
        let Some(task) = due().pick_next::<Task>(conn)? else { return Ok(None) };
        work(&task)?;
        diesel::update(&task).set(tasks::state.eq(TaskState::Finished)).execute(conn)?;
        Ok(Some(task))
    })
}
