//! pgmq: a queue, which hands out messages from a table of its own.

use diesel::{connection::SimpleConnection, dsl::sql, prelude::*, sql_types::BigInt};
use pgmq::PGMQueueExt;
use serde_json::Value;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::runtime;

use crate::{operation::Work, shared::Result, slice::Session};

const FILL: &str = "TRUNCATE pgmq.q_jobs; SELECT pgmq.send_batch('jobs', ARRAY( \
                    SELECT jsonb_build_object('number', i) FROM generate_series(1, $rows) i))";
const COUNT: &str = "SELECT count(*) FROM pgmq.q_jobs";
const TAKEN: &str = "SELECT coalesce(sum(read_ct), 0)::bigint FROM pgmq.q_jobs";

/// Sees to it that so many jobs can be taken before half of them are.
pub(crate) fn ready(jobs: u64, rows: u32, conn: &mut PgConnection) -> Result<()> {
    let count: i64 = sql::<BigInt>(COUNT).get_result(conn)?;
    if count == 0 || u64::try_from(taken(conn)?)? + jobs > u64::from(rows / 2) {
        conn.batch_execute(&FILL.replace("$rows", &rows.to_string()))?;
    }
    Ok(conn.batch_execute("VACUUM ANALYZE pgmq.q_jobs")?)
}

/// Returns how many jobs were handed out, and how often.
pub(crate) fn taken(conn: &mut PgConnection) -> QueryResult<i64> {
    sql::<BigInt>(TAKEN).get_result(conn)
}

/// Makes the tables of pgmq.
pub(crate) fn install(url: &str) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = pool(url).await?;
        let queue = PGMQueueExt::new_with_pool(pool.clone()).await;
        queue.install_sql_from_embedded().await?;
        queue.create("jobs").await?;
        Ok(())
    })
}

/// One connection for each session, which is kept.
async fn pool(url: &str) -> Result<PgPool> {
    Ok(PgPoolOptions::new().min_connections(1).max_connections(1).test_before_acquire(false).connect(url).await?)
}

/// pgmq: `read_batch` makes messages invisible for a time.
pub(crate) struct Pgmq(PGMQueueExt);

/// Long enough that no message becomes visible again.
const HIDDEN_FOR: i32 = 3_600;

impl Session for Pgmq {
    async fn open(url: &str) -> Result<Self> {
        Ok(Pgmq(PGMQueueExt::new_with_pool(pool(url).await?).await))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let Work::Claim(n) = work else { return Err("made for claims".into()) };
        let read = self.0.read_batch::<Value, Value>("jobs", HIDDEN_FOR, i32::try_from(n)?).await?;
        Ok(read.len())
    }
}
