//! The index that filter and order need, and whether its plan can be kept.

use crate::{
    advice::{pages, pick_next_ms},
    backlog::{Backlog, INDEX},
    shared::Result,
};

const CASES: [(&str, &str, u32); 3] = [
    ("none but the primary key", "", 30),
    (
        "`(priority, id) WHERE status = 'new'`",
        "CREATE INDEX jobs_next ON jobs (priority, id) WHERE status = 'new'",
        500,
    ),
    ("`(status, priority, id)`", INDEX, 500),
];

pub(super) fn measure(backlog: &Backlog<'_>) -> Result<String> {
    let mut table =
        format!("| index | one `pick_next` out of {} rows | pages read |\n| --- | --- | --- |\n", backlog.rows);
    for (name, index, times) in CASES {
        backlog.fill(index)?;
        let conn = &mut backlog.database.connect()?;
        let (ms, pages) = (pick_next_ms(times, conn)?, pages(conn)?);
        table += &format!("| {name} | {ms:.3} ms | {pages} |\n");
    }
    table += "\nThe partial index is smaller, but a plan that is kept for all values of `status = $1` cannot use it, so the \
              server plans each call anew. With a condition without a value (`claimed_at IS NULL`, `NOT done`) it need \
              not.\n";
    Ok(table)
}
