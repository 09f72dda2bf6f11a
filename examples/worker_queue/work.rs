//! What a job is about. Here: nothing, but it takes its time, and some fail.

use std::{thread, time::Duration};

use diesel::prelude::*;

use crate::{
    queue::Job,
    shared::{Conn, Result},
};

/// A `shaky` job fails at its first try, a `poison` one at every try, and by an error of the database: whatever
/// transaction it works in is aborted.
pub(crate) fn perform(job: &Job, tries: i32, takes: Duration, conn: &mut Conn) -> Result<()> {
    thread::sleep(takes);
    match &*job.kind {
        "poison" => {
            diesel::sql_query("SELECT no_such_column").execute(conn)?;
            Ok(())
        }
        "shaky" if tries == 1 => Err("nobody answered".into()),
        _ => Ok(()),
    }
}
