//! pgmq: a queue, which hands out messages from a table of its own.

use diesel::{
    PgConnection as Conn, QueryResult, RunQueryDsl as _, connection::SimpleConnection, dsl::sql, sql_types::BigInt,
};
use pgmq::PGMQueueExt;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::runtime;

use crate::{operation::Work, shared::Result, slice::Session};

const FILL: &str = "TRUNCATE pgmq.q_jobs; SELECT pgmq.send_batch('jobs', ARRAY( \
                    SELECT jsonb_build_object('number', i) FROM generate_series(1, $rows) i))";
const COUNT: &str = "SELECT count(*) FROM pgmq.q_jobs";
const TAKEN: &str = "SELECT coalesce(sum(read_ct), 0)::bigint FROM pgmq.q_jobs";

/// Sees to it that so many jobs can be taken before half of them are.
pub(crate) fn ready(jobs: u64, rows: u32, conn: &mut Conn) -> Result<()> {
    let count: i64 = sql::<BigInt>(COUNT).get_result(conn)?;
    if count == 0 || u64::try_from(taken(conn)?)? + jobs > u64::from(rows / 2) {
        conn.batch_execute(&FILL.replace("$rows", &rows.to_string()))?;
    }
    Ok(conn.batch_execute("VACUUM ANALYZE pgmq.q_jobs")?)
}

/// Returns how many jobs were handed out, and how often.
pub(crate) fn taken(conn: &mut Conn) -> QueryResult<i64> {
    sql::<BigInt>(TAKEN).get_result(conn)
}

/// Makes the tables of pgmq.
pub(crate) fn install(url: &str) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = PgPool::connect(url).await?;
        let queue = PGMQueueExt::new_with_pool(pool).await;
        queue.install_sql_from_embedded().await?;
        queue.create("jobs").await?;
        Ok(())
    })
}

/// pgmq: `read_batch` makes messages invisible for a time.
pub(crate) struct Pgmq(PGMQueueExt, PgConnection);

/// Long enough that no message becomes visible again.
const HIDDEN_FOR: i32 = 3_600;

impl Session for Pgmq {
    async fn open(url: &str) -> Result<Self> {
        let pool = PgPool::connect_lazy(url)?;
        // Not out of the pool, which pings a connection whenever it is given back.
        Ok(Pgmq(PGMQueueExt::new_with_pool(pool).await, PgConnection::connect(url).await?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let Work::Claim(n) = work else { return Err("made for claims".into()) };
        let Pgmq(queue, conn) = self;
        let n = i32::try_from(n)?;
        let read = queue.read_batch_with_cxn::<_, Value, Value>("jobs", HIDDEN_FOR, n, &mut *conn).await?;
        Ok(read.len())
    }
}
