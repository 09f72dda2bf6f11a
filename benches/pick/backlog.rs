//! The work queue that both sides take from: its table, its one index, and how it is filled again.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::Lockable;

use crate::shared::{Database, Result};

diesel::table! {
    jobs (id) {
        id -> BigInt,
        status -> Text,
        priority -> Integer,
        payload -> Text,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = jobs)]
#[allow(dead_code, reason = "loaded as a worker would load it, and not looked at")]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) priority: i32,
    pub(crate) payload: String,
}

/// What a job is when it was claimed.
pub(crate) const TAKEN: &str = "taken";

/// The column that the filter compares is in the index, not in its `WHERE`: Diesel binds the value, and a plan that the
/// server keeps must be good for every value. What the partial index costs then is measured by `advice`.
pub(crate) const INDEX: &str = "CREATE INDEX jobs_next ON jobs (status, priority, id)";

/// No vacuum comes in between: each measurement fills the table anew.
const TABLE: &str = "CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'new', \
                     priority integer NOT NULL, payload text NOT NULL) WITH (autovacuum_enabled = off)";

/// The jobs that are to be done, in the order in which they are. Ten priorities, so that neighbours in the order are not
/// neighbours in the table.
#[diesel::dsl::auto_type]
pub(crate) fn next_jobs() -> _ {
    jobs::table.filter(jobs::status.eq("new")).order((jobs::priority, jobs::id))
}

/// As it is in the statements that are written by hand, with a variable of pgbench where Diesel binds a value: the server
/// then chooses between plans for any value and plans for this one, on both sides or on none.
pub(crate) const NEXT_JOBS: &str = "FROM jobs WHERE status = :new ORDER BY priority, id";

/// The part of the backlog that may be used up before it is filled again.
pub(crate) const SHARE: f64 = 0.5;

pub(crate) struct Backlog<'a> {
    pub(crate) database: &'a Database,
    pub(crate) rows: u32,
}

impl<'a> Backlog<'a> {
    pub(crate) fn new(database: &'a Database, rows: u32) -> Result<Self> {
        database.connect()?.batch_execute(TABLE)?;
        Ok(Backlog { database, rows })
    }

    /// Makes the backlog new: table and indexes without a dead entry, statistics up to date, nothing left to write for
    /// what was before.
    pub(crate) fn fill(&self, index: &str) -> Result<()> {
        let conn = &mut self.database.connect()?;
        let rows = self.rows;
        conn.batch_execute(&format!(
            "DROP INDEX IF EXISTS jobs_next; TRUNCATE jobs;
             INSERT INTO jobs (id, priority, payload) SELECT i, i % 10, 'job number ' || i FROM generate_series(1, {rows}) i;
             {index}"
        ))?;
        conn.batch_execute("VACUUM ANALYZE jobs")?;
        // Not every user of a given server may do that.
        conn.batch_execute("CHECKPOINT").or_else(|error| match error {
            diesel::result::Error::DatabaseError(..) => Ok(()),
            other => Err(other),
        })?;
        Ok(())
    }

    /// Sees to it that so many jobs can be taken: makes the backlog new if it would get small, else only takes the dead
    /// entries out of it, which is much faster.
    pub(crate) fn ready(&self, jobs: u64) -> Result<()> {
        if (self.taken()? + jobs) as f64 > SHARE * f64::from(self.rows) {
            return self.fill(INDEX);
        }
        Ok(self.database.connect()?.batch_execute("VACUUM jobs")?)
    }

    /// How many jobs were taken since the backlog was filled.
    pub(crate) fn taken(&self) -> Result<u64> {
        let left: i64 = jobs::table.filter(jobs::status.eq("new")).count().get_result(&mut self.database.connect()?)?;
        Ok(u64::from(self.rows).saturating_sub(u64::try_from(left)?))
    }
}
