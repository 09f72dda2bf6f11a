//! What one worker does again and again: on one side through this crate, on the other the same SQL by pgbench.

use std::fmt;

use diesel::prelude::*;
use diesel_lockset::{LockError, prelude::*};

use crate::backlog::{Job, NEXT_JOBS, TAKEN, jobs, next_jobs};

/// A way to take jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `BEGIN`, the rows locked and loaded, the same rows deleted by key, `COMMIT`: four round trips.
    ///
    /// The worker retires what it picked, as a real one does. If it left the rows as they are, everybody would pick the
    /// same few rows again and again. It deletes because Diesel keeps a `delete` prepared, as pgbench does, but has the
    /// server parse and plan each `update`: that would be measured, and is not this crate's.
    Pick,
    /// One statement, committed by itself: one round trip.
    Claim,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// This crate: a blocking thread and a connection for each worker.
    Ours,
    /// pgbench with the statements that this crate sends, written by hand.
    Bare,
    /// pgbench with a shorter statement, if there is one for the same work.
    Short,
}

impl Operation {
    pub(crate) const ALL: [Self; 2] = [Self::Pick, Self::Claim];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pick => "pick",
            Self::Claim => "claim",
        }
    }

    pub(crate) fn sides(self) -> &'static [Side] {
        match self {
            Self::Pick => &[Side::Ours, Side::Bare],
            Self::Claim => &[Side::Ours, Side::Bare, Side::Short],
        }
    }

    /// Takes `n` jobs through this crate and returns how many there were.
    pub(crate) fn run(self, n: u32, conn: &mut PgConnection) -> Result<usize, LockError> {
        match (self, n) {
            (Self::Pick, 1) => conn.transaction(|conn| {
                let Some(job) = next_jobs().pick_next::<Job>(conn)? else { return Ok(0) };
                Ok(diesel::delete(jobs::table.find(job.id)).execute(conn)?)
            }),
            (Self::Pick, _) => conn.transaction(|conn| {
                let picked: Vec<Job> = next_jobs().pick(n, conn)?;
                let ids: Vec<i64> = picked.iter().map(|job| job.id).collect();
                Ok(diesel::delete(jobs::table.filter(jobs::id.eq_any(ids))).execute(conn)?)
            }),
            (Self::Claim, _) => {
                let claimed: Vec<Job> = next_jobs().claim(n, jobs::status.eq(TAKEN), conn)?;
                Ok(claimed.len())
            }
        }
    }

    /// The script for pgbench that does the same.
    ///
    /// pgbench can keep the columns of one row only. So for more than one job it is given the keys as one array, which
    /// spares it the rows themselves: that is in its favour.
    pub(crate) fn script(self, n: u32, side: Side) -> String {
        let rows = format!("SELECT id, status, priority, payload {NEXT_JOBS} LIMIT {n} FOR UPDATE OF jobs SKIP LOCKED");
        let keys = format!("SELECT id {NEXT_JOBS} LIMIT {n} FOR UPDATE OF jobs SKIP LOCKED");
        let all = "jobs.id, jobs.status, jobs.priority, jobs.payload";
        match (self, n, side) {
            (Self::Pick, 1, _) => {
                format!("BEGIN;\n{rows} \\gset\nDELETE FROM jobs WHERE id = :id;\nCOMMIT;\n")
            }
            (Self::Pick, ..) => format!(
                "BEGIN;\nSELECT array_agg(id) AS ids FROM ({rows}) AS picked \\gset\n\
                 DELETE FROM jobs WHERE id = ANY(:ids);\nCOMMIT;\n"
            ),
            (Self::Claim, 1, Side::Short) => {
                format!("UPDATE jobs SET status = :taken WHERE id = ({keys}) RETURNING {all};\n")
            }
            (Self::Claim, _, Side::Short) => {
                format!("UPDATE jobs SET status = :taken WHERE id = ANY(ARRAY({keys})) RETURNING {all};\n")
            }
            (Self::Claim, 1, _) => format!(
                "WITH picked (k0) AS MATERIALIZED ({keys}) \
                 UPDATE jobs SET status = :taken FROM picked WHERE jobs.id = picked.k0 RETURNING {all}, 1::bigint;\n"
            ),
            (Self::Claim, ..) => format!(
                "WITH picked (k0) AS MATERIALIZED ({keys}), \
                 placed AS (SELECT k0, min(place) AS place FROM (SELECT *, row_number() OVER () AS place FROM picked) \
                 AS numbered GROUP BY k0) \
                 UPDATE jobs SET status = :taken FROM placed WHERE jobs.id = placed.k0 RETURNING {all}, placed.place;\n"
            ),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backlog::{Backlog, INDEX},
        shared::Database,
    };

    #[test]
    fn a_pick_and_a_claim_take_each_job_once() {
        let database = Database::create("bench_pick").unwrap();
        let backlog = Backlog::new(&database, 50).unwrap();
        for operation in Operation::ALL {
            for n in [1, 10] {
                backlog.fill(INDEX).unwrap();
                let conn = &mut database.connect().unwrap();
                let taken: usize = (0..3).map(|_| operation.run(n, conn).unwrap()).sum();
                assert_eq!(taken, 3 * n as usize, "{operation} {n}");
                assert_eq!(backlog.taken().unwrap(), taken as u64, "{operation} {n}");
            }
        }
    }
}
