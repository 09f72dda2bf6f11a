//! A job runner over `diesel-async` as applications write it: a transaction is open while a job runs, its row is picked in it by a boxed
//! filter, and deleted or scheduled again. The tests run on a current-thread runtime.

use std::{future::Future, panic::AssertUnwindSafe};

use chrono::NaiveDateTime;
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types::Bool};
use diesel_async::{
    AsyncConnection, AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, deadpool},
};
use diesel_lockset::{
    LockError, LockTransaction, Lockable,
    nonblocking::{PickDsl as _, RunLockTransaction as _},
};
use futures_util::{
    FutureExt as _,
    future::{join, join4},
};
use tokio::sync::Notify;

use crate::support::arena::Arena;

diesel::table! {
    background_jobs (id) {
        id -> BigInt,
        job_type -> Text,
        data -> Text,
        retries -> Integer,
        last_retry -> Timestamp,
        priority -> SmallInt,
    }
}

const TABLE: &str = "CREATE TABLE background_jobs (id bigserial PRIMARY KEY, job_type text NOT NULL, data text NOT NULL, \
                     retries integer NOT NULL DEFAULT 0, last_retry timestamp NOT NULL DEFAULT '1970-01-01', \
                     priority smallint NOT NULL DEFAULT 0)";

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = background_jobs)]
struct BackgroundJob {
    id: i64,
    job_type: String,
    data: String,
    retries: i32,
    last_retry: NaiveDateTime,
    priority: i16,
}

type Pool = deadpool::Pool<AsyncPgConnection>;
type Condition = Box<dyn BoxableExpression<background_jobs::table, Pg, SqlType = Bool>>;

/// Waits longer after each failure.
fn retriable() -> Condition {
    Box::new(sql::<Bool>("last_retry < now() - interval '1 minute' * power(2, retries)"))
}

fn ready(types: &[&str]) -> background_jobs::BoxedQuery<'static, Pg> {
    let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
    background_jobs::table
        .filter(background_jobs::job_type.eq_any(types))
        .filter(retriable())
        .order((background_jobs::priority.desc(), background_jobs::id))
        .into_boxed()
}

/// Runs the next job, and returns its number. A job that fails or panics is scheduled again.
async fn run_next<Work: Future<Output = Result<(), String>> + Send>(
    pool: &Pool,
    types: &[&str],
    work: impl Fn(BackgroundJob) -> Work + Send + Sync,
) -> Result<Option<i64>, LockError> {
    let (mut conn, work) = (pool.get().await.unwrap(), &work);
    LockTransaction::new()
        .run(&mut *conn, async move |conn: &mut AsyncPgConnection| {
            let Some(job) = ready(types).pick_next::<BackgroundJob>(conn).await? else { return Ok(None) };
            let row = background_jobs::table.find(job.id);
            let ended = AssertUnwindSafe(work(job.clone())).catch_unwind().await;
            if let Ok(Ok(())) = ended {
                diesel_async::RunQueryDsl::execute(diesel::delete(row), conn).await?;
            } else {
                let retries = background_jobs::retries.eq(background_jobs::retries + 1);
                let again = diesel::update(row).set((retries, background_jobs::last_retry.eq(diesel::dsl::now)));
                diesel_async::RunQueryDsl::execute(again, conn).await?;
            }
            Ok(Some(job.id))
        })
        .await
}

/// Runs a test on a current-thread runtime, over a pool of some connections.
fn run<T: Future<Output = ()>>(jobs: &str, test: impl FnOnce(Pool) -> T) -> Arena {
    let arena = Arena::new();
    arena.execute(&format!("{TABLE}; INSERT INTO background_jobs (job_type, data, priority) VALUES {jobs}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(arena.url());
        test(deadpool::Pool::builder(manager).max_size(4).build().unwrap()).await;
    });
    arena
}

fn left(arena: &Arena) -> i64 {
    arena.number("SELECT count(*) FROM background_jobs")
}

#[test]
fn a_job_is_locked_while_it_runs_and_deleted_when_it_is_done() {
    let arena = run("('mail', 'a', 0), ('mail', 'b', 1), ('index', 'c', 2)", |pool| async move {
        let (running, go_on) = (Notify::new(), Notify::new());
        let first = run_next(&pool, &["mail"], async |job: BackgroundJob| {
            assert_eq!(job.data, "b");
            running.notify_one();
            go_on.notified().await;
            Ok(())
        });
        let second = async {
            running.notified().await;
            // The other workers do not wait for it, and do not get it.
            let next = run_next(&pool, &["mail"], async |job: BackgroundJob| {
                assert_eq!(job.data, "a");
                Ok(())
            })
            .await;
            assert_eq!(next.unwrap(), Some(1));
            assert_eq!(run_next(&pool, &["mail"], async |_| Ok(())).await.unwrap(), None);
            let mut conn = pool.get().await.unwrap();
            let row = background_jobs::table.find(2).select(background_jobs::id);
            assert_eq!(
                diesel_async::RunQueryDsl::load::<i64>(row.for_update().skip_locked(), &mut conn).await.unwrap(),
                [0; 0]
            );
            go_on.notify_one();
        };
        let (first, ()) = join(first, second).await;
        assert_eq!(first.unwrap(), Some(2));
    });
    assert_eq!(left(&arena), 1);
}

#[test]
fn a_job_that_fails_or_panics_is_scheduled_again_and_not_taken_before_its_time() {
    let arena = run("('mail', 'fails', 0), ('mail', 'panics', 0), ('mail', 'works', 0)", |pool| async move {
        let work = async |job: BackgroundJob| match &*job.data {
            "fails" => Err("nobody answered".to_owned()),
            "panics" => panic!("out of ink"),
            _ => Ok(()),
        };
        for expected in [Some(1), Some(2), Some(3), None] {
            assert_eq!(run_next(&pool, &["mail"], work).await.unwrap(), expected);
        }
    });
    assert_eq!(left(&arena), 2);
    assert_eq!(
        arena.number(
            "SELECT count(*) FROM background_jobs WHERE retries = 1 AND last_retry > now() - interval '1 hour'"
        ),
        2
    );
}

#[test]
fn every_job_is_run_once_by_tasks_of_one_thread() {
    let jobs: Vec<String> = (0..200).map(|job| format!("('mail', '{job}', {})", job % 3)).collect();
    let arena = run(&jobs.join(", "), |pool| async move {
        let done = std::sync::Mutex::new(Vec::new());
        let worker = || async {
            while let Some(job) = run_next(&pool, &["mail"], async |_| {
                tokio::task::yield_now().await;
                Ok(())
            })
            .await
            .unwrap()
            {
                done.lock().unwrap().push(job);
            }
        };
        join4(worker(), worker(), worker(), worker()).await;
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (1..=200).collect::<Vec<i64>>());
    });
    assert_eq!(left(&arena), 0);
}

/// `transaction` of `diesel-async`, as in applications that open transactions themselves.
#[test]
fn a_pick_may_stand_in_a_transaction_of_diesel_async() {
    let arena = run("('mail', 'a', 0)", |pool| async move {
        let mut conn = pool.get().await.unwrap();
        let picked = conn.transaction(async |conn| {
            let picked = ready(&["mail"]).pick_next::<BackgroundJob>(conn).await?;
            let other = pool.get().await.unwrap();
            assert_eq!(run_next_of(other, &["mail"]).await.unwrap(), None);
            Ok::<_, LockError>(picked)
        });
        assert_eq!(picked.await.unwrap().map(|job| job.id), Some(1));
        // It was not deleted, and is free again.
        assert_eq!(run_next(&pool, &["mail"], async |_| Ok(())).await.unwrap(), Some(1));
    });
    assert_eq!(left(&arena), 0);
}

/// The number of the next job, which is not run.
async fn run_next_of(mut conn: deadpool::Object<AsyncPgConnection>, types: &[&str]) -> Result<Option<i64>, LockError> {
    LockTransaction::new()
        .run(&mut conn, async move |conn: &mut deadpool::Object<AsyncPgConnection>| {
            Ok(ready(types).pick_next::<BackgroundJob>(conn).await?.map(|job| job.id))
        })
        .await
}
