//! The machine and the server of a run.

use std::thread;

use diesel::{dsl::sql, prelude::*, sql_types::Text};

use crate::shared::Result;

/// Returns the date, the version of the server, how durable it is, and how many cores there are.
pub(crate) fn circumstances(conn: &mut PgConnection) -> Result<String> {
    let setting = |name: &str, conn: &mut PgConnection| {
        diesel::select(sql::<Text>(&format!("current_setting('{name}')"))).get_result::<String>(conn)
    };
    Ok(format!(
        "{}: PostgreSQL {} (fsync = {}, synchronous_commit = {}{}), {} cores shared by server and workers",
        chrono::Utc::now().format("%Y-%m-%d"),
        setting("server_version", conn)?,
        setting("fsync", conn)?,
        setting("synchronous_commit", conn)?,
        // Only a superuser is told.
        match setting("data_directory", conn) {
            Ok(folder) if folder.starts_with("/dev/shm/") => ", data in memory",
            _ => "",
        },
        thread::available_parallelism()?,
    ))
}
