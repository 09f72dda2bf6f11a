//! What a long transaction elsewhere does to a queue: entries of retired rows stay at the head of the index, and each pick
//! walks over all of them.

use std::time::Instant;

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;

use crate::{
    advice::{pages, pick_next_ms},
    backlog::{Backlog, INDEX, Job, TAKEN, jobs, next_jobs},
    shared::Result,
};

pub(super) fn measure(backlog: &Backlog<'_>) -> Result<String> {
    let retired = backlog.rows / 2;
    let mut table = format!(
        "| after {retired} rows were retired | claims/s, one session | one `pick_next` | pages read |\n\
         | --- | --- | --- | --- |\n"
    );
    for (name, long, vacuum) in [
        ("no other transaction", false, false),
        ("no other transaction, `VACUUM`", false, true),
        ("an older `REPEATABLE READ` transaction still open", true, false),
        ("the same, `VACUUM`", true, true),
    ] {
        backlog.fill(INDEX)?;
        let mut old = backlog.database.connect()?;
        if long {
            // The first statement takes the snapshot.
            old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM jobs LIMIT 1")?;
        }
        let conn = &mut backlog.database.connect()?;
        for _ in 0..retired / 1_000 {
            let _: Vec<Job> = next_jobs().claim(1_000, jobs::status.eq(TAKEN), conn)?;
        }
        if vacuum {
            conn.batch_execute("VACUUM jobs")?;
        }
        let ms = pick_next_ms(50, conn)?;
        let (begin, times) = (Instant::now(), 100);
        for _ in 0..times {
            let _: Vec<Job> = next_jobs().claim(1, jobs::status.eq(TAKEN), conn)?;
        }
        let rate = f64::from(times) / begin.elapsed().as_secs_f64();
        table += &format!("| {name} | {rate:.0} | {ms:.3} ms | {} |\n", pages(conn)?);
    }
    Ok(table)
}
