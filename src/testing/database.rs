//! A database of a test's own.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use diesel::result::{ConnectionError, ConnectionResult, QueryResult};

use super::server::TestBackend;
use crate::blocking::LockConnection;

/// PostgreSQL cuts longer names off.
const LONGEST_NAME: usize = 63;

/// An empty database for one test, which is dropped with the value. If the test panics, the database is kept, and its url is printed.
///
/// The name is `lockset_test_`, the time of creation, a random number and the name of the thread, which is that of the test. Any number of
/// tests, processes and machines can create theirs on one server at the same time.
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let url = std::env::var("PG_DATABASE_URL")?;
/// use diesel_lockset::testing::TestDatabase;
///
/// let database = TestDatabase::<PgConnection>::create(&url)?;
/// database.execute(
///     "CREATE TABLE accounts (
///          id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL)",
/// )?;
/// let conn = &mut database.connect()?;
/// assert_eq!(accounts::table.count().get_result(conn), Ok(0));
/// # Ok(())
/// # }
/// ```
pub struct TestDatabase<C>
where
    C: LockConnection<Backend: TestBackend>,
{
    server: String,
    url: String,
    name: String,
    connection: PhantomData<fn() -> C>,
}

impl<C> TestDatabase<C>
where
    C: LockConnection<Backend: TestBackend>,
{
    /// Creates a database on the server of this url, whose user must be allowed to. `CREATE DATABASE ..`, on PostgreSQL from `template0`.
    ///
    /// # Errors
    ///
    /// If there is no connection to the server, or it does not create the database.
    pub fn create(server: &str) -> ConnectionResult<Self> {
        let title = thread::current().name().unwrap_or("unnamed").to_owned();
        // `RandomState` has other keys each time.
        let digest = RandomState::new().hash_one(&title);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let tail = title.rsplit("::").next().unwrap_or_default();
        let tail = tail.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
        let mut name = format!("lockset_test_{seconds:x}_{digest:x}_{}", tail.collect::<String>());
        name.truncate(LONGEST_NAME);
        C::Backend::create_database(&mut C::establish(server)?, &name)
            .map_err(|error| ConnectionError::BadConnection(format!("cannot create the database {name}: {error}")))?;
        Ok(TestDatabase { server: server.to_owned(), url: with_database(server, &name), name, connection: PhantomData })
    }

    /// Returns the url of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a new connection to the database.
    ///
    /// # Errors
    ///
    /// If there is none to be had.
    pub fn connect(&self) -> ConnectionResult<C> {
        C::establish(&self.url)
    }

    /// Runs statements over a connection of their own, such as those that create tables.
    ///
    /// # Errors
    ///
    /// If there is no connection, or a statement fails.
    pub fn execute(&self, statements: &str) -> QueryResult<()> {
        let mut conn = self.connect().map_err(|error| diesel::result::Error::QueryBuilderError(Box::new(error)))?;
        conn.batch_execute(statements)
    }
}

impl<C> Drop for TestDatabase<C>
where
    C: LockConnection<Backend: TestBackend>,
{
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the database of the test is kept: {}", self.url);
            return;
        }
        let dropped = C::establish(&self.server).map(|mut conn| C::Backend::drop_database(&mut conn, &self.name));
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the database of the test cannot be dropped: {}", self.url);
        }
    }
}

impl<C> fmt::Debug for TestDatabase<C>
where
    C: LockConnection<Backend: TestBackend>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the url, which may have a password.
        f.debug_struct("TestDatabase").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns the url of another database on the same server. libpq also reads `host=.. dbname=..`, where the last word on a key counts.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return format!("{url} dbname={name}") };
    let (place, options) =
        rest.split_once('?').map_or((rest, String::new()), |(place, all)| (place, format!("?{all}")));
    let authority = place.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}{options}")
}
