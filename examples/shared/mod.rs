//! What every example needs around its story: a database of its own, and several sessions at once. Nothing here locks.

#![allow(
    unexpected_cfgs,
    reason = "the packages `examples_on_mysql` and `examples_on_sqlite` have no feature `postgres`"
)]

use std::{
    env,
    marker::PhantomData,
    process,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    backend::Backend,
    dsl::sql,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::BigInt,
};

/// The error of a story.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What the stories run on: PostgreSQL, in the package `examples_on_mysql` MySQL and MariaDB, and in `examples_on_sqlite` SQLite.
#[cfg(feature = "postgres")]
pub(crate) type Conn = PgConnection;
#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
pub(crate) type Conn = MysqlConnection;
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
pub(crate) type Conn = SqliteConnection;

/// Which of the two servers it is, for the few lines that differ.
#[allow(dead_code, reason = "in most examples no line does")]
pub(crate) const ON_MYSQL: bool = cfg!(not(feature = "postgres"));

/// A database on the server of `PG_DATABASE_URL`, or of `MYSQL_DATABASE_URL`.
#[allow(dead_code, reason = "the counts of round trips are the same for all kinds")]
pub(crate) type Database = DatabaseOn<Conn>;

/// A kind of server, told by what connects to it.
pub(crate) trait Server: Connection + Send {
    /// The variable that names one.
    const VARIABLE: &'static str;

    /// What follows `DROP DATABASE` and the name.
    const DROP_OPTIONS: &'static str = "";

    /// How many sessions of this database wait for a lock; `NULL` where nobody tells.
    const WAITING: &'static str;

    /// The settings of a session. The isolation level where it is another one than READ COMMITTED, since queries over joins want that.
    const SETTINGS: Option<&'static str> = None;

    /// Makes a database and returns the URL of its server, or of the folder that it is in.
    fn create(name: &str) -> Result<String> {
        let variable = Self::VARIABLE;
        let server = env::var(variable).ok().filter(|url| !url.trim().is_empty()).ok_or_else(|| {
            format!("no server: run `cargo xtask test`, or set {variable} to a server whose user may create databases")
        })?;
        OnDatabase { verb: "CREATE DATABASE ", name, options: "" }.execute(&mut Self::establish(&server)?)?;
        Ok(server)
    }

    fn drop(server: &str, name: &str) -> Result<()> {
        let end = OnDatabase { verb: "DROP DATABASE ", name, options: Self::DROP_OPTIONS };
        end.execute(&mut Self::establish(server)?)?;
        Ok(())
    }
}

/// A database is a file in a folder of its own: the journal is beside it.
#[cfg(feature = "sqlite")]
impl Server for SqliteConnection {
    const VARIABLE: &'static str = "";
    const WAITING: &'static str = "SELECT NULL";
    /// With this journal readers and the writer do not wait for each other. The time is for Diesel's own statements; those of
    /// diesel_lockset wait by themselves.
    const SETTINGS: Option<&'static str> = Some("PRAGMA busy_timeout = 60000; PRAGMA journal_mode = WAL");

    fn create(name: &str) -> Result<String> {
        let folder = env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder.to_str().ok_or("the temporary folder has no name in UTF-8")?.to_owned())
    }

    fn drop(folder: &str, _: &str) -> Result<()> {
        Ok(std::fs::remove_dir_all(folder)?)
    }
}

#[cfg(feature = "postgres")]
impl Server for PgConnection {
    const VARIABLE: &'static str = "PG_DATABASE_URL";
    const DROP_OPTIONS: &'static str = " WITH (FORCE)";
    const WAITING: &'static str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) \
                                   WHERE NOT granted AND datname = current_database()";
}

#[cfg(feature = "mysql")]
impl Server for MysqlConnection {
    const VARIABLE: &'static str = "MYSQL_DATABASE_URL";
    /// Those in the middle of a statement that locks rows or a name; whoever asks holds what they are after. InnoDB's own list of
    /// who waits is renewed only when nobody, in any database, has asked for it for a tenth of a second; and MySQL's
    /// `information_schema.processlist` fails as long as anybody runs a statement with a character of four bytes.
    const WAITING: &'static str = "SELECT count(*) \
                                   FROM /*!80022 performance_schema */ /*M! information_schema */ . processlist \
                                   WHERE db = database() AND (info LIKE '%FOR UPDATE%' OR info LIKE '%GET_LOCK(%') \
                                   AND info NOT LIKE '%processlist%'";
    const SETTINGS: Option<&'static str> = Some("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
}

/// A new, empty database on the server that the variable names, dropped together with this value.
pub(crate) struct DatabaseOn<C: Server> {
    server: String,
    name: String,
    connections: PhantomData<fn() -> C>,
}

impl<C: Server> DatabaseOn<C> {
    pub(crate) fn create(example: &str) -> Result<Self> {
        // Other machines may use the same server, and have the same process ids.
        let name = format!("lockset_{example}_{}_{:08x}", process::id(), fastrand::u32(..));
        let server = C::create(&name)?;
        Ok(DatabaseOn { server, name, connections: PhantomData })
    }

    /// A session of its own.
    pub(crate) fn connect(&self) -> Result<C> {
        let mut conn = C::establish(&self.url())?;
        if let Some(settings) = C::SETTINGS {
            conn.batch_execute(settings)?;
        }
        Ok(conn)
    }

    /// The server's URL with this database in place of the one that it names, in either form that libpq reads; for SQLite the file.
    pub(crate) fn url(&self) -> String {
        let Self { server, name, .. } = self;
        if C::VARIABLE.is_empty() {
            return format!("{server}/{name}.db");
        }
        let Some((scheme, rest)) = server.split_once("://") else {
            return format!("{server} dbname={name}"); // `host=.. dbname=..`: the last word on a key counts
        };
        let (place, options) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
        let authority = place.split('/').next().unwrap_or_default();
        format!("{scheme}://{authority}/{name}{options}")
    }

    /// Runs `work` in several sessions at the same time and returns what each came to. All are connected before the first
    /// begins.
    #[allow(dead_code, reason = "some examples need a second session only")]
    pub(crate) fn at_once<T: Send, E: Into<Error>>(
        &self,
        sessions: usize,
        work: impl Fn(usize, &mut C) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>> {
        let connections = (0..sessions).map(|_| self.connect()).collect::<Result<Vec<_>>>()?;
        let (start, work) = (Barrier::new(sessions), &work);
        thread::scope(|scope| {
            let run = |(session, mut conn)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    work(session, &mut conn).map_err(Into::into)
                })
            };
            let running: Vec<_> = connections.into_iter().enumerate().map(run).collect();
            running
                .into_iter()
                .map(|session| session.join().unwrap_or_else(|_| Err("a session panicked".into())))
                .collect()
        })
    }
}

impl<C: Server> Drop for DatabaseOn<C> {
    fn drop(&mut self) {
        if let Err(error) = C::drop(&self.server, &self.name) {
            eprintln!("the database {} is left behind: {error}", self.name);
        }
    }
}

/// Asks until the answer is yes. Fails after a time in which anything should have happened.
#[allow(dead_code, reason = "some examples have nothing to wait for")]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> QueryResult<bool>) -> QueryResult<()> {
    let begin = Instant::now();
    while !is_so()? {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err(diesel::result::Error::QueryBuilderError(format!("never happened: {what}").into()));
        }
        thread::sleep(Duration::from_millis(2)); // how often is asked; the answer does not depend on it
    }
    Ok(())
}

/// A statement about a whole database, with the name quoted by Diesel.
struct OnDatabase<'a> {
    verb: &'static str,
    name: &'a str,
    options: &'static str,
}

impl<DB: Backend> QueryFragment<DB> for OnDatabase<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(self.verb);
        out.push_identifier(self.name)?;
        out.push_sql(self.options);
        Ok(())
    }
}

impl QueryId for OnDatabase<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: Connection> RunQueryDsl<C> for OnDatabase<'_> {}

/// How many sessions of this database wait for a lock that another one holds.
#[allow(dead_code, reason = "some examples have nobody who waits")]
pub(crate) fn waiting(conn: &mut Conn) -> QueryResult<usize> {
    let count: i64 = sql::<BigInt>(Conn::WAITING).get_result(conn)?;
    Ok(usize::try_from(count).unwrap_or(0))
}
