//! sqlx by hand: prepared statements on a connection that is kept.

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_as};

use crate::{backlog::TAKEN, operation::Work, shared::Result, slice::Session};

pub(crate) struct Sqlx(PgConnection);

/// The columns of a job.
type Job = (i64, String, i32, String);

const ONE: &str = "SELECT id, balance FROM accounts WHERE id = $1 FOR UPDATE";
const SET: &str = "UPDATE accounts SET balance = $2 WHERE id = $1";

impl Session for Sqlx {
    async fn open(url: &str) -> Result<Self> {
        Ok(Sqlx(PgConnection::connect(url).await?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        match work {
            Work::OneRow(id) => {
                let mut tx = self.0.begin().await?;
                one_row(&mut tx, id).await?;
                tx.commit().await?;
                Ok(1)
            }
            // Nothing holds the lock once the first statement is over.
            Work::NoTransaction(id) => one_row(&mut self.0, id).await,
            Work::SixRows { accounts, tellers } => {
                let mut tx = self.0.begin().await?;
                let mut count = 0;
                for (table, ids) in [("accounts", accounts), ("tellers", tellers)] {
                    let sql = format!("SELECT id, balance FROM {table} WHERE id = ANY($1) ORDER BY id FOR UPDATE");
                    let rows: Vec<(i32, i32)> = query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(&mut *tx).await?;
                    count += rows.len();
                }
                for (table, ids, change) in [("accounts", accounts, "+ 1"), ("tellers", tellers, "- 1")] {
                    let sql = format!("UPDATE {table} SET balance = balance {change} WHERE id = ANY($1)");
                    query(AssertSqlSafe(sql)).bind(ids).execute(&mut *tx).await?;
                }
                tx.commit().await?;
                Ok(count)
            }
            Work::Claim(n) => {
                let sql = format!(
                    "UPDATE jobs SET status = $2 WHERE id = ANY(ARRAY(SELECT id FROM jobs WHERE status = $1 \
                     ORDER BY priority, id LIMIT {n} FOR UPDATE SKIP LOCKED)) RETURNING id, status, priority, payload"
                );
                let claim = query_as(AssertSqlSafe(sql)).bind("new").bind(TAKEN);
                let claimed: Vec<Job> = claim.fetch_all(&mut self.0).await?;
                Ok(claimed.len())
            }
            Work::Transfer { from, to } => {
                let mut tx = self.0.begin().await?;
                let both = query_as("SELECT id, balance FROM accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE");
                let both: Vec<(i32, i32)> = both.bind([from, to]).fetch_all(&mut *tx).await?;
                for (id, balance) in both {
                    let change = if id == from { -1 } else { 1 };
                    query(SET).bind(id).bind(balance + change).execute(&mut *tx).await?;
                }
                tx.commit().await?;
                Ok(2)
            }
        }
    }
}

async fn one_row(conn: &mut PgConnection, id: i32) -> Result<usize> {
    let (id, balance): (i32, i32) = query_as(ONE).bind(id).fetch_one(&mut *conn).await?;
    query(SET).bind(id).bind(balance + 1).execute(conn).await?;
    Ok(1)
}
