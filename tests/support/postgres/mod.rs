//! PostgreSQL: where it is, a template for the databases of the tests, and questions about locks in its words.

pub(crate) mod pooler;
pub(crate) mod probe;
pub(crate) mod template;
pub(crate) mod urls;
pub(crate) mod waits;

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl,
    connection::{LoadConnection, SimpleConnection, TransactionManager},
    dsl::sql,
    pg::Pg,
    sql_query,
    sql_types::{BigInt, Integer, Nullable, Text},
};

use diesel_lockset::AdvisoryName;

use super::{
    probe::Held,
    server::{Observer, Server, with_database},
};

/// The server of `PG_DATABASE_URL`.
#[derive(Debug)]
pub(crate) enum Postgres {}

impl Server for Postgres {
    type Backend = Pg;
    type Conn = PgConnection;

    const RESOLVES_FIRST: bool = false;
    const MANY_COMPOSITE_KEYS: i32 = 70_000;
    const UNDOES_STATEMENTS: bool = false;
    const AT_WORK: &str = "SELECT pid FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid() \
                           AND backend_type = 'client backend' AND state <> 'idle' \
                           ORDER BY wait_event_type IS DISTINCT FROM 'Lock', random()";
    const SLOW_TO_TELL: u32 = 1;

    fn locks_named_tables_only(_: &mut PgConnection) -> bool {
        true
    }

    fn fails_on_stale_rows(_: &mut PgConnection) -> bool {
        true
    }

    fn url() -> String {
        urls::url()
    }

    fn create_database(server: &str, name: &str) -> QueryResult<()> {
        // On the usual server there is a database to copy.
        let usual = server == Self::url();
        let template = if usual { template::name() } else { "template0" };
        let mut maintenance = Self::connect(server);
        maintenance.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        // Deadlocks are found sooner. Only a superuser may say so; for others the tests take longer, with the same result.
        let _ = maintenance.batch_execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '200ms'"));
        if !usual {
            template::fill(&with_database(server, name));
        }
        Ok(())
    }

    fn drop_database(server: &str, name: &str) -> QueryResult<()> {
        Self::connect(server).batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    }

    fn session_number<C>(conn: &mut C) -> i32
    where
        C: Connection<Backend = Pg> + LoadConnection,
    {
        sql::<Integer>("SELECT pg_backend_pid()").get_result(conn).expect("a pid")
    }

    fn execute<C>(conn: &mut C, statement: &str) -> QueryResult<usize>
    where
        C: Connection<Backend = Pg> + LoadConnection,
    {
        sql_query(statement).execute(conn)
    }

    fn number<C>(conn: &mut C, query: &str) -> QueryResult<i64>
    where
        C: Connection<Backend = Pg> + LoadConnection,
    {
        sql::<BigInt>(&format!("SELECT ({query})::bigint")).get_result(conn)
    }

    fn analyze(table: &str) -> String {
        format!("ANALYZE {table}")
    }

    fn quoted(name: &str) -> String {
        format!("\"{name}\"")
    }

    fn isolate(level: &str) -> String {
        format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
    }

    fn begin_as<C>(conn: &mut C, characteristics: &str) -> QueryResult<()>
    where
        C: Connection<Backend = Pg> + LoadConnection,
    {
        C::TransactionManager::begin_transaction(conn)?;
        Self::execute(conn, &format!("SET TRANSACTION {characteristics}")).map(drop)
    }

    fn text(conn: &mut PgConnection, query: &str) -> QueryResult<Option<String>> {
        sql::<Nullable<Text>>(&format!("SELECT ({query})::text")).get_result(conn)
    }

    fn probe(conn: &mut PgConnection, table: &str, condition: &str) -> Held {
        probe::probe(conn, table, condition)
    }

    fn probe_share(conn: &mut PgConnection, table: &str, condition: &str) -> Held {
        probe::probe_share(conn, table, condition)
    }

    fn held_keys(conn: &mut PgConnection, table: &str, key: &str) -> Vec<String> {
        probe::held_keys(conn, table, key)
    }

    const RELEASE_ALL: &str = "SELECT pg_advisory_unlock_all()";

    fn advisory_locks(conn: &mut PgConnection, _: &[AdvisoryName]) -> i64 {
        let all = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        Self::number(conn, all).expect("the locks")
    }

    fn deadlocks(conn: &mut PgConnection) -> i64 {
        waits::deadlocks(conn)
    }
}

impl Observer for PgConnection {
    fn blocked_by(&mut self, session: i32) -> Vec<i32> {
        waits::blocked_by(self, session)
    }

    fn terminate(&mut self, session: i32) {
        waits::terminate(self, session);
    }

    fn cancel(&mut self, session: i32) {
        let canceled = self.batch_execute(&format!("SELECT pg_cancel_backend({session})"));
        canceled.unwrap_or_else(|error| panic!("{session} cannot be cancelled: {error}"));
    }

    fn wait_until_gone(&mut self, session: i32) {
        waits::wait_until_gone(self, session);
    }

    fn activity(&mut self) -> String {
        waits::activity(self)
    }
}
