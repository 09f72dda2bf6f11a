//! A picked row that others refer to: who inserts such a reference waits for the whole work, unless the row is picked at
//! the strength that leaves its key alone.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockError, prelude::*};

use crate::{
    backlog::{Backlog, INDEX, Job, jobs, next_jobs},
    shared::Result,
};

diesel::table! {
    notes (id) {
        id -> BigInt,
        job_id -> BigInt,
    }
}

const TABLE: &str = "DROP TABLE IF EXISTS notes; \
                     CREATE TABLE notes (id bigserial PRIMARY KEY, job_id bigint NOT NULL REFERENCES jobs)";

/// How long the worker holds its job.
const WORK: Duration = Duration::from_millis(500);

type Pick = fn(&mut PgConnection) -> Result<Option<Job>, LockError>;

pub(super) fn measure(backlog: &Backlog<'_>) -> Result<String> {
    let strengths: [(&str, Pick); 2] = [
        ("`for_update`, as `pick_next` does by itself", |conn| next_jobs().pick_next(conn)),
        ("`for_no_key_update_of(jobs::table)`", |conn| next_jobs().for_no_key_update_of(jobs::table).pick_next(conn)),
    ];
    let mut table = format!(
        "| the worker picks, and works for {} ms | the `INSERT` of a row that refers to the job takes |\n| --- | --- |\n",
        WORK.as_millis()
    );
    for (name, pick) in strengths {
        backlog.fill(INDEX)?;
        backlog.database.connect()?.batch_execute(TABLE)?;
        let waited = wait(backlog, pick)?;
        backlog.database.connect()?.batch_execute("DROP TABLE notes")?;
        table += &format!("| {name} | {:.1} ms |\n", waited.as_secs_f64() * 1_000.0);
    }
    Ok(table)
}

/// Has a worker hold a job for a while, and measures how long it takes to refer to that job meanwhile.
fn wait(backlog: &Backlog<'_>, pick: Pick) -> Result<Duration> {
    let (mut worker, mut other) = (backlog.database.connect()?, backlog.database.connect()?);
    let (picked, of_picked) = mpsc::channel();
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            worker.transaction(|conn| {
                if let Some(job) = pick(conn)? {
                    let _ = picked.send(job.id);
                }
                thread::sleep(WORK); // the work
                Ok::<_, LockError>(())
            })
        });
        let id = of_picked.recv().map_err(|_| "nothing was picked")?;
        let begin = Instant::now();
        diesel::insert_into(notes::table).values(notes::job_id.eq(id)).execute(&mut other)?;
        let waited = begin.elapsed();
        work.join().map_err(|_| "the worker panicked")??;
        Ok(waited)
    })
}
