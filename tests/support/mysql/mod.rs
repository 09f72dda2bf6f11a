//! MySQL and MariaDB: databases for the tests, and questions about locks in the words of both.

pub(crate) mod databases;
mod deadlocks;
mod probe;
mod waits;

use std::fmt::Display;

use diesel::{
    Connection, MysqlConnection, QueryResult, RunQueryDsl,
    connection::{LoadConnection, SimpleConnection, TransactionManager},
    dsl::sql,
    mysql::Mysql,
    sql_query,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use diesel_lockset::AdvisoryName;

use super::{
    probe::Held,
    server::{Observer, Server, further, variable},
};

const NO_SERVER: &str = "no server: run `cargo xtask test`, or set MYSQL_DATABASE_URL to a MariaDB or MySQL whose user may \
                         do everything";

/// The server of `MYSQL_DATABASE_URL`. It says itself which of the two it is.
#[derive(Debug)]
pub(crate) enum MysqlFamily {}

impl MysqlFamily {
    pub(crate) fn is_mariadb(conn: &mut MysqlConnection) -> bool {
        sql::<Bool>("SELECT VERSION() LIKE '%MariaDB%'").get_result(conn).expect("a version")
    }
}

/// A server that may be crashed: nobody but the test that does so uses it. `cargo xtask test` starts it again within a second
/// or so, on the same port and data. What was committed survives.
pub(crate) fn crash_url() -> String {
    further("crash", "MYSQL_CRASH_DATABASE_URL")
}

/// A server with `innodb_rollback_on_timeout`.
pub(crate) fn rollback_url() -> String {
    further("rollback", "MYSQL_ROLLBACK_DATABASE_URL")
}

/// Who is connected and does what. MySQL's table of this name in `information_schema` fails as long as anybody on the server runs
/// a statement with a character of four bytes.
pub(crate) const SESSIONS: &str = "/*!80022 performance_schema */ /*M! information_schema */ . processlist";

const FAILS_ON_STALE_ROWS: &str = "SELECT /*!80001 0 */ /*M! @@innodb_snapshot_isolation */";

impl Server for MysqlFamily {
    type Backend = Mysql;
    type Conn = MysqlConnection;

    const RESOLVES_FIRST: bool = true;
    const MANY_COMPOSITE_KEYS: i32 = 30_000;
    const UNDOES_STATEMENTS: bool = true;
    const AT_WORK: &str = "SELECT CAST(id AS SIGNED) \
                           FROM /*!80022 performance_schema */ /*M! information_schema */ . processlist \
                           WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command IN ('Query', 'Execute') \
                           ORDER BY RAND()";
    const SLOW_TO_TELL: u32 = 6;

    fn locks_named_tables_only(conn: &mut MysqlConnection) -> bool {
        Self::number(conn, "SELECT /*!80001 1 */ /*M! 0 */") == Ok(1)
    }

    /// MariaDB from 11.6.2 on.
    fn fails_on_stale_rows(conn: &mut MysqlConnection) -> bool {
        Self::number(conn, FAILS_ON_STALE_ROWS) == Ok(1)
    }

    /// What a query reads beside its rows is believed under READ COMMITTED only, and REPEATABLE READ is the default.
    fn prepare<C>(conn: &mut C)
    where
        C: Connection<Backend = Mysql> + LoadConnection,
    {
        let set = Self::execute(conn, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
        answer("an isolation level", set);
    }

    fn url() -> String {
        variable("MYSQL_DATABASE_URL").unwrap_or_else(|| panic!("{NO_SERVER}"))
    }

    fn create_database(server: &str, name: &str) -> QueryResult<()> {
        databases::create(server, name)
    }

    fn drop_database(server: &str, name: &str) -> QueryResult<()> {
        databases::drop(server, name)
    }

    fn session_number<C>(conn: &mut C) -> i32
    where
        C: Connection<Backend = Mysql> + LoadConnection,
    {
        let number = Self::number(conn, "SELECT CONNECTION_ID()").expect("a number");
        number.try_into().expect("a number of 31 bits")
    }

    fn execute<C>(conn: &mut C, statement: &str) -> QueryResult<usize>
    where
        C: Connection<Backend = Mysql> + LoadConnection,
    {
        if !statement.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select")) {
            return sql_query(statement).execute(conn);
        }
        // The server does not say how many rows it has selected: they are fetched, whatever they are made of.
        let mut rows = 0;
        for row in conn.load(sql_query(statement))? {
            row?;
            rows += 1;
        }
        Ok(rows)
    }

    fn number<C>(conn: &mut C, query: &str) -> QueryResult<i64>
    where
        C: Connection<Backend = Mysql> + LoadConnection,
    {
        sql::<BigInt>(&format!("SELECT CAST(({query}) AS SIGNED)")).get_result(conn)
    }

    fn analyze(table: &str) -> String {
        format!("ANALYZE TABLE {table}")
    }

    fn quoted(name: &str) -> String {
        format!("`{name}`")
    }

    fn isolate(level: &str) -> String {
        format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")
    }

    fn begin_as<C>(conn: &mut C, characteristics: &str) -> QueryResult<()>
    where
        C: Connection<Backend = Mysql> + LoadConnection,
    {
        // A level that is meant for the next transaction alone shows nowhere.
        let scope = if characteristics.starts_with("ISOLATION") { "SESSION TRANSACTION" } else { "TRANSACTION" };
        Self::execute(conn, &format!("SET {scope} {characteristics}"))?;
        C::TransactionManager::begin_transaction(conn)
    }

    fn text(conn: &mut MysqlConnection, query: &str) -> QueryResult<Option<String>> {
        sql::<Nullable<Text>>(&format!("SELECT CAST(({query}) AS CHAR)")).get_result(conn)
    }

    fn probe(conn: &mut MysqlConnection, table: &str, condition: &str) -> Held {
        probe::probe(conn, probe::FOR_UPDATE, table, condition)
    }

    fn probe_share(conn: &mut MysqlConnection, table: &str, condition: &str) -> Held {
        probe::probe(conn, probe::FOR_SHARE, table, condition)
    }

    fn held_keys(conn: &mut MysqlConnection, table: &str, key: &str) -> Vec<String> {
        probe::held_keys(conn, table, key)
    }

    const RELEASE_ALL: &str = "SELECT RELEASE_ALL_LOCKS()";

    fn advisory_locks(conn: &mut MysqlConnection, names: &[AdvisoryName]) -> i64 {
        let database = answer("a name", Self::text(conn, "SELECT DATABASE()")).expect("a database");
        let held = names.iter().filter(|name| {
            let held = format!("SELECT IS_USED_LOCK('{}') IS NOT NULL", name.key_in(&database));
            answer("the locks", Self::number(conn, &held)) == 1
        });
        held.count().try_into().expect("few")
    }

    fn deadlocks(conn: &mut MysqlConnection) -> i64 {
        deadlocks::of_this_database(conn)
    }
}

impl Observer for MysqlConnection {
    fn blocked_by(&mut self, session: i32) -> Vec<i32> {
        waits::blocked_by(self, session)
    }

    fn terminate(&mut self, session: i32) {
        waits::terminate(self, session);
    }

    fn cancel(&mut self, session: i32) {
        // Fails if it has ended by itself.
        let _ = self.batch_execute(&format!("KILL QUERY {session}"));
    }

    fn wait_until_gone(&mut self, session: i32) {
        waits::wait_until_gone(self, session);
    }

    fn activity(&mut self) -> String {
        waits::activity(self)
    }
}

/// What these queries return cannot be told from nothing by a test that goes on.
#[track_caller]
fn answer<T>(what: impl Display, result: QueryResult<T>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}
