//! What a job is about. Here: nothing, but it takes its time, and some fail.

use std::{thread, time::Duration};

use diesel::prelude::*;

use crate::{
    queue::{Fate, Job},
    shared::{Conn, Result},
};

pub(crate) fn perform(job: &Job, tries: i32, takes: Duration, conn: &mut Conn) -> Result<()> {
    thread::sleep(takes);
    match job.fate(tries) {
        Fate::Succeeds => Ok(()),
        Fate::Fails => Err("nobody answered".into()),
        Fate::BreaksTransaction => {
            diesel::sql_query("SELECT no_such_column").execute(conn)?;
            Ok(())
        }
    }
}
