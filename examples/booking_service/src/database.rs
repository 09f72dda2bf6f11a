//! The pool of connections, and the migrations at the start.

use std::{error::Error, time::Duration};

use deadpool::Runtime;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncConnection, AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, deadpool as pooled},
};
use diesel_lockset::nonblocking::run_pending_migrations_locked;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// The pool that all requests share.
pub type Pool = pooled::Pool<AsyncPgConnection>;

pub(crate) type Conn = pooled::Object<AsyncPgConnection>;

/// The longest time that a request waits for a connection, and then for the locks of its seats. Longer, and the visitor is gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Returns a pool of connections to this database. It connects when a connection is needed.
///
/// # Errors
///
/// If the pool cannot be built. A database that does not answer is an error of the first request.
pub fn connect(url: impl Into<String>) -> Result<Pool, pooled::BuildError> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|url| Box::pin(establish(url)));
    Pool::builder(AsyncDieselConnectionManager::new_with_config(url, config))
        .max_size(16)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(Duration::from_secs(10)))
        .recycle_timeout(Some(PATIENCE))
        .build()
}

/// Connects, with a limit below everything that this program does: the server ends a transaction in which nothing happens, so that no mistake
/// here keeps a seat locked for longer.
fn establish(url: &str) -> impl Future<Output = ConnectionResult<AsyncPgConnection>> + Send + use<> {
    let url = url.to_owned();
    async move {
        let mut conn = AsyncPgConnection::establish(&url).await?;
        let limit = "SET idle_in_transaction_session_timeout = '10s'";
        conn.batch_execute(limit).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
}

/// Brings the tables up to date. Processes that start at the same time wait for each other.
///
/// # Errors
///
/// If the database does not answer or a migration fails.
pub async fn migrate(pool: &Pool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let done = run_pending_migrations_locked(pool.get().await?, MIGRATIONS).await?;
    tracing::info!("{} migrations were run", done.len());
    Ok(())
}
