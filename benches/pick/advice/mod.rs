//! What the documentation advises to whoever has a queue, and what it is worth.

mod bloat;
mod foreign_key;
mod index;

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use diesel::{prelude::*, sql_types::Text};
use diesel_lockset::{LockError, prelude::*};

use crate::{
    backlog::{Backlog, Job, NEXT_JOBS, jobs, next_jobs},
    median::median,
    shared::Result,
};

/// The figures, as sentences and tables of Markdown.
#[derive(Debug)]
pub(crate) struct Advice {
    index: String,
    bloat: String,
    foreign_key: String,
}

impl Advice {
    pub(crate) fn measure(backlog: &Backlog<'_>, stop: &AtomicBool) -> Result<Self> {
        let index = index::measure(backlog)?;
        let go_on = || if stop.load(SeqCst) { Err("interrupted") } else { Ok(()) };
        go_on()?;
        let bloat = bloat::measure(backlog)?;
        go_on()?;
        Ok(Advice { index, bloat, foreign_key: foreign_key::measure(backlog)? })
    }

    pub(crate) fn section(&self) -> String {
        let Advice { index, bloat, foreign_key } = self;
        format!(
            "### Advice, measured\n\nHave an index for filter and order together:\n\n{index}\nKeep transactions short, everywhere in the \
             database:\n\n{bloat}\nPick rows that others refer to `for_no_key_update`:\n\n{foreign_key}"
        )
    }
}

/// How long one call of `pick_next` takes in the middle, in milliseconds; each picked job is deleted.
fn pick_next_ms(times: u32, conn: &mut PgConnection) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..times {
        let one = conn.transaction(|conn| {
            let begin = Instant::now();
            let job: Option<Job> = next_jobs().pick_next(conn)?;
            let one = begin.elapsed();
            let id = job.map(|job| job.id);
            diesel::delete(jobs::table.filter(jobs::id.nullable().eq(id))).execute(conn)?;
            Ok::<_, LockError>(one)
        })?;
        took.push(one);
    }
    Ok(median(took.iter().map(Duration::as_secs_f64)) * 1_000.0)
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    text: String,
}

/// The pages that the pick, written by hand, reads from the cache or from disk.
fn pages(conn: &mut PgConnection) -> Result<u64> {
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) SELECT * {} LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED",
        NEXT_JOBS.replace(":new", "'new'")
    );
    let plan: Vec<Line> = conn.test_transaction(|conn| diesel::sql_query(&explain).load(conn));
    // The first such line is the uppermost node's, which counts those below it too.
    let line = plan.iter().find(|line| line.text.contains("Buffers:")).ok_or("a plan without buffers")?;
    let counts = line.text.split_whitespace().filter_map(|word| {
        let (what, count) = word.split_once('=')?;
        matches!(what, "hit" | "read").then(|| count.parse::<u64>().ok())?
    });
    Ok(counts.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backlog::INDEX, shared::Database};

    #[test]
    fn an_index_spares_pages() {
        let database = Database::create("bench_pick").unwrap();
        let backlog = Backlog::new(&database, 5_000).unwrap();
        let pages_with = |index: &str| {
            backlog.fill(index).unwrap();
            pages(&mut database.connect().unwrap()).unwrap()
        };
        let (without, with) = (pages_with(""), pages_with(INDEX));
        assert!(0 < with && with < without, "{with} pages with the index, {without} without");
    }
}
