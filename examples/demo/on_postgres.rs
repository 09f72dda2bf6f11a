//! PostgreSQL: pgbench makes its tables itself.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use diesel::{PgConnection as Conn, dsl::sql, prelude::*, sql_types::BigInt};

use crate::{
    backend::{Backend, MakeTransfer},
    bank::Bank,
    shared::{DatabaseOn, Result, until},
};

#[path = "story/mod.rs"]
mod story;

impl Backend for Conn {
    const IN_ORDER_OF_NEED: MakeTransfer<Self> = story::in_order_of_need::transfer;
    const IN_ONE_SET: MakeTransfer<Self> = story::in_one_set::transfer;

    /// Runs `pgbench --initialize`: the program that `PGBENCH` names, or the one in the path.
    fn make_tables(database: &DatabaseOn<Self>) -> Result<()> {
        let named = env::var_os("PGBENCH").filter(|program| !program.is_empty());
        let program = named.map_or_else(|| PathBuf::from("pgbench"), PathBuf::from);
        let output = Command::new(&program)
            .args(["--initialize", "--quiet", "--scale=1"])
            .arg(database.url())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run {}: {error}; set PGBENCH to where pgbench is", program.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} failed ({}): {}", program.display(), output.status, said.trim_end()).into())
    }

    fn open_bank(&mut self) -> QueryResult<Bank> {
        story::books::open(self)
    }

    fn money(&mut self) -> QueryResult<i64> {
        story::books::money(self)
    }

    fn deadlocks(&mut self) -> QueryResult<i64> {
        // A session reports its deadlocks to the server's statistics when it ends, at the latest.
        until("the sessions are gone", || Ok(other_sessions(self)? == 0))?;
        sql::<BigInt>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").get_result(self)
    }

    const COUNTS_DEADLOCKS_BY_DATABASE: bool = true;
}

fn other_sessions(conn: &mut Conn) -> QueryResult<i64> {
    sql::<BigInt>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend'",
    )
    .get_result(conn)
}
