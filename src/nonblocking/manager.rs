//! Recognizes the transaction manager of `diesel-async`.

use std::any::type_name;

use diesel_async::{AnsiTransactionManager, AsyncConnection};

/// The type by which `diesel-async` hands a connection's manager on, out of a pool or a box.
const HANDED_ON: &str = "diesel_async::deref_connection::PoolTransactionManager<";

/// Returns whether the connection's transaction manager is the one of `diesel-async`, whose work consists of a text, a record and an event.
///
/// The type is compared by its name, since connections are not `'static`. A manager that is not recognized begins and commits by itself,
/// which costs a round trip.
pub(super) fn is_of_diesel<Conn: AsyncConnection>() -> bool {
    let mut name = type_name::<Conn::TransactionManager>();
    while let Some(inner) = name.strip_prefix(HANDED_ON).and_then(|name| name.strip_suffix('>')) {
        name = inner;
    }
    name == type_name::<AnsiTransactionManager>()
}

#[cfg(test)]
mod tests {
    use diesel_async::{
        AsyncPgConnection,
        pooled_connection::{bb8, deadpool},
    };

    use super::is_of_diesel;

    #[test]
    fn the_manager_is_recognized_also_out_of_a_pool() {
        assert!(is_of_diesel::<AsyncPgConnection>());
        assert!(is_of_diesel::<Box<AsyncPgConnection>>());
        assert!(is_of_diesel::<deadpool::Object<AsyncPgConnection>>());
        assert!(is_of_diesel::<bb8::PooledConnection<'_, AsyncPgConnection>>());
        assert!(is_of_diesel::<&mut deadpool::Object<AsyncPgConnection>>());
    }

    #[test]
    fn another_manager_is_not() {
        use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

        assert!(!is_of_diesel::<SyncConnectionWrapper<diesel::SqliteConnection>>());
    }
}
