//! The tests of the queue, as its authors would write them.

use std::{sync::Mutex, thread};

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{CustomizeConnection, Error as R2d2Error};
use serde_json::json;

use super::*;
use crate::support::arena::Arena;

const LEASE: TimeDelta = TimeDelta::minutes(5);

/// Has every connection of a pool do its work in a transaction that is never committed.
#[derive(Debug)]
struct InTestTransaction;

impl CustomizeConnection<PgConnection, R2d2Error> for InTestTransaction {
    fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), R2d2Error> {
        conn.begin_test_transaction().map_err(R2d2Error::QueryError)
    }
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(model::SCHEMA);
    arena
}

fn queue(arena: &Arena) -> Queue {
    Queue { pool: Pool::builder().max_size(4).build(ConnectionManager::new(arena.url())).unwrap() }
}

fn mail(number: i32) -> NewTask {
    NewTask { kind: "mail".to_owned(), metadata: json!({ "to": number }), scheduled_at: None }
}

#[test]
fn a_task_has_an_enum_a_uuid_times_and_json_through_every_verb() {
    let arena = arena();
    let queue = queue(&arena);
    let at = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
    let metadata = json!({ "to": ["ada", null], "count": 2 });
    let new = NewTask { kind: "mail".to_owned(), metadata: metadata.clone(), scheduled_at: Some(at) };
    let task = queue.enqueue(&new).unwrap();
    assert_eq!(
        (task.kind.as_str(), task.state, &task.metadata, task.scheduled_at),
        ("mail", TaskState::New, &metadata, at)
    );

    let conn = &mut *queue.connection().unwrap();
    let by_every_verb = conn.transaction::<_, QueueError, _>(|conn| {
        let query = || tasks::table.find(task.id);
        Ok([
            task.lock(conn)?,
            Task::lock_by_id(task.id, conn)?,
            query().for_update_of(tasks::table).first(conn)?,
            query().pick_next(conn)?.ok_or(QueueError::Lost(task.id))?,
            LockSet::new().row(&task).query::<Task>(query()).lock(conn)?.take_id(task.id)?,
            LockSet::new().unchanged(&task).lock(conn)?.take_row(&task)?,
        ])
    });
    for row in by_every_verb.unwrap() {
        assert_eq!(row, task);
    }

    let claimed = queue.claim(10, LEASE).unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].state, claimed[0].attempts, &claimed[0].metadata), (TaskState::Running, 1, &metadata));
    assert!(claimed[0].lease_until.is_some_and(|until| until > Utc::now()));
    queue.finish(&claimed[0]).unwrap();
    assert_eq!(queue.purge().unwrap(), 1);
}

#[test]
fn workers_over_one_pool_run_every_task_once() {
    let arena = arena();
    let queue = queue(&arena);
    for number in 0..60 {
        queue.enqueue(&mail(number)).unwrap();
    }
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..4 {
            let (queue, done) = (queue.clone(), &done);
            scope.spawn(move || {
                let mut mine = Vec::new();
                // Half of the workers hold a task while they run it, half of them claim it.
                if worker % 2 == 0 {
                    while let Some(task) = queue.run_next(|_| Ok(())).unwrap() {
                        mine.push(task.metadata["to"].clone());
                    }
                } else {
                    while let Some(task) = queue.claim(1, LEASE).unwrap().pop() {
                        queue.finish(&task).unwrap();
                        mine.push(task.metadata["to"].clone());
                    }
                }
                done.lock().unwrap().extend(mine);
            });
        }
    });
    let mut done: Vec<_> = done.into_inner().unwrap().iter().map(|number| number.as_i64().unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, (0..60).collect::<Vec<_>>());
    assert_eq!(queue.purge().unwrap(), 60);
}

#[test]
fn a_task_that_fails_is_retried_and_given_up_at_last() {
    let arena = arena();
    let queue = queue(&arena);
    queue.enqueue(&mail(1)).unwrap();
    for (attempt, expected) in [(1, TaskState::Retried), (2, TaskState::Retried), (3, TaskState::Failed)] {
        let task = queue.claim(1, LEASE).unwrap().pop().unwrap();
        assert_eq!((task.attempts, task.error.is_some()), (attempt, attempt > 1));
        assert_eq!(queue.retry(&task, "nobody answered", TimeDelta::zero()).unwrap(), expected);
    }
    assert_eq!(queue.claim(1, LEASE).unwrap(), []);

    let failing = queue.enqueue(&mail(2)).unwrap();
    let lost = queue.run_next(|task| Err(QueueError::Lost(task.id)));
    assert!(matches!(lost, Err(QueueError::Lost(id)) if id == failing.id), "{lost:?}");
    assert_eq!(queue.run_next(|_| Ok(())).unwrap(), Some(failing));
}

#[test]
fn a_worker_whose_lease_is_over_finishes_nothing() {
    let arena = arena();
    let queue = queue(&arena);
    queue.enqueue(&mail(1)).unwrap();
    let slow = queue.claim(1, TimeDelta::zero()).unwrap().pop().unwrap();
    let quick = queue.claim(1, LEASE).unwrap().pop().unwrap();
    assert_eq!((slow.id, slow.attempts, quick.attempts), (quick.id, 1, 2));
    assert!(matches!(queue.finish(&slow), Err(QueueError::Lost(_))));
    assert!(matches!(queue.retry(&slow, "late", TimeDelta::zero()), Err(QueueError::Lost(_))));
    queue.finish(&quick).unwrap();
    queue.purge().unwrap();
    assert!(matches!(queue.finish(&quick), Err(QueueError::Lost(_))), "the row is gone");
}

#[test]
fn a_task_that_somebody_holds_is_neither_moved_nor_purged() {
    let arena = arena();
    let queue = queue(&arena);
    let (held, other) = (queue.enqueue(&mail(1)).unwrap(), queue.enqueue(&mail(2)).unwrap());
    let later = Utc::now() + TimeDelta::days(1);
    let picked = queue.run_next(|task| {
        assert_eq!(task.id, held.id);
        assert_eq!(queue.reschedule(held.id, later)?, None);
        assert!(queue.reschedule(other.id, later)?.is_some_and(|moved| moved.scheduled_at > Utc::now()));
        assert_eq!(queue.claim(10, LEASE)?, [], "one is held, the other is not due");
        Ok(())
    });
    assert_eq!(picked.unwrap().map(|task| task.id), Some(held.id));
    assert_eq!(queue.reschedule(Uuid::nil(), later).unwrap(), None);
    let mut conn = queue.connection().unwrap();
    let purged = conn.transaction::<_, QueueError, _>(|conn| {
        held.lock(conn)?;
        queue.purge()
    });
    assert_eq!(purged.unwrap(), 0);
    assert_eq!(queue.purge().unwrap(), 1);
}

/// A conflict inside of a transparent variant is seen, and the task is run again.
#[test]
fn a_conflict_inside_of_a_transparent_error_is_retried() {
    let arena = arena();
    let queue = queue(&arena);
    queue.enqueue(&mail(1)).unwrap();
    let tries = Mutex::new(0);
    let run = queue.run_next(|_| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        if *tries > 2 {
            return Ok(());
        }
        // As a server refuses a statement of the task's own.
        let raise = "RAISE 'could not serialize access due to concurrent update' USING ERRCODE = '40001'";
        Ok(queue.connection()?.batch_execute(&format!("DO $$ BEGIN {raise}; END $$"))?)
    });
    assert!(run.unwrap().is_some());
    assert_eq!(*tries.lock().unwrap(), 3);
}

#[test]
fn in_a_test_transaction_every_verb_works_and_nothing_stays() {
    let arena = arena();
    let mut conn = arena.pg();
    conn.begin_test_transaction().unwrap();
    // Diesel's test transaction is outermost: every verb works in a savepoint of it.
    let anyhow: Result<(), anyhow::Error> = (|| {
        enqueue(&mut conn, &mail(1))?;
        let task = claim(&mut conn, 1, LEASE)?.pop().ok_or_else(|| anyhow::anyhow!("no task"))?;
        retry(&mut conn, &task, "nobody answered", TimeDelta::zero())?;
        let run = run_next(&mut conn, |_| Ok(()))?;
        assert_eq!(run.map(|task| task.attempts), Some(1));
        let second = enqueue(&mut conn, &mail(2))?;
        assert!(reschedule(&mut conn, second.id, Utc::now())?.is_some());
        let task = claim(&mut conn, 5, LEASE)?.remove(0);
        finish(&mut conn, &task)?;
        assert_eq!(purge(&mut conn)?, 2);
        Ok(())
    })();
    anyhow.unwrap();
    drop(conn);
    assert_eq!(arena.number("SELECT count(*) FROM tasks"), 0);

    conn = arena.pg();
    conn.test_transaction::<_, QueueError, _>(|conn| {
        enqueue(conn, &mail(3))?;
        assert!(run_next(conn, |task| Err(QueueError::Lost(task.id))).is_err());
        // The savepoint of the task is undone, and the transaction goes on.
        assert_eq!(claim(conn, 5, LEASE)?.len(), 1);
        Ok(())
    });
    assert_eq!(arena.number("SELECT count(*) FROM tasks"), 0);
}

#[test]
fn a_queue_over_a_pool_of_test_transactions_is_tested_by_its_own_methods() {
    let arena = arena();
    let pool = Pool::builder().max_size(1).connection_customizer(Box::new(InTestTransaction));
    let queue = Queue { pool: pool.build(ConnectionManager::new(arena.url())).unwrap() };
    queue.enqueue(&mail(1)).unwrap();
    let task = queue.claim(1, LEASE).unwrap().remove(0);
    assert_eq!(queue.retry(&task, "nobody answered", TimeDelta::zero()).unwrap(), TaskState::Retried);
    assert_eq!(queue.run_next(|_| Ok(())).unwrap().map(|task| task.id), Some(task.id));
    assert_eq!(queue.purge().unwrap(), 1);
    drop(queue);
    assert_eq!(arena.number("SELECT count(*) FROM tasks"), 0);
}
