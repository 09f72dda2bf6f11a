//! The columns that describe a session, and their reader, for all queries about sessions.

use std::time::Duration;

use diesel::{
    deserialize,
    pg::Pg,
    row::Row,
    sql_types::{Double, Integer, Nullable, Text},
};

use crate::{diesel_internals::RowRef, session::LockSession};

/// The columns of a session, out of its row of `pg_stat_activity`.
macro_rules! session_columns {
    ($activity:literal) => {
        concat!(
            "\"",
            $activity,
            "\".\"pid\", \"",
            $activity,
            "\".\"usename\", \"",
            $activity,
            "\".\"application_name\", \"",
            $activity,
            "\".\"datname\", \"",
            $activity,
            "\".\"state\", extract(epoch FROM pg_catalog.statement_timestamp() \
            OPERATOR(pg_catalog.-) \"",
            $activity,
            "\".\"state_change\")::pg_catalog.float8 AS \"state_age\", \
            extract(epoch FROM pg_catalog.statement_timestamp() OPERATOR(pg_catalog.-) \"",
            $activity,
            "\".\"xact_start\")::pg_catalog.float8 AS \"age\", \"",
            $activity,
            "\".\"query\""
        )
    };
}
pub(super) use session_columns;

/// The names of these columns.
pub(super) const SESSION_NAMES: &str =
    "\"pid\", \"usename\", \"application_name\", \"datname\", \"state\", \"state_age\", \"age\", \"query\"";

/// The number of these columns.
pub(super) const SESSION_WIDTH: usize = 8;

/// The text in place of the statement of a session that this role may not see.
pub(super) const HIDDEN: &str = "<insufficient privilege>";

/// Reads these columns. All are NULL if the session is not known.
pub(super) fn session(row: &RowRef<'_, Pg>) -> deserialize::Result<LockSession> {
    let text = |i| row.get_value::<Nullable<Text>, Option<String>, _>(i);
    Ok(LockSession {
        id: row.get_value::<Nullable<Integer>, Option<i32>, _>(0)?.unwrap_or_default().into(),
        user: text(1)?.unwrap_or_default(),
        application: text(2)?.unwrap_or_default(),
        database: text(3)?,
        state: text(4)?,
        state_age: seconds(row, 5)?,
        transaction_age: seconds(row, 6)?,
        statement: text(7)?,
    })
}

/// Reads a number of seconds.
pub(super) fn seconds(row: &RowRef<'_, Pg>, column: usize) -> deserialize::Result<Option<Duration>> {
    let seconds = row.get_value::<Nullable<Double>, Option<f64>, _>(column)?;
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()))
}
