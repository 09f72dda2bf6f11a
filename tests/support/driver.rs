//! The blocking drivers of the servers: what the contract and the interleavings are run with.

use diesel::{
    MysqlConnection, PgConnection,
    r2d2::{ConnectionManager, PooledConnection},
};

use super::{mysql::MysqlFamily, postgres::Postgres, server::Server};

pub(crate) use super::{
    direct::{Direct, Open},
    session::Session,
};

/// A plain `PgConnection`.
pub(crate) type Blocking = Direct<PgConnection>;

/// A connection handed out by a pool.
pub(crate) type Pooled = Direct<PooledConnection<ConnectionManager<PgConnection>>>;

/// A plain `MysqlConnection`.
pub(crate) type MysqlBlocking = Direct<MysqlConnection>;

/// A connection to MySQL or MariaDB handed out by a pool.
pub(crate) type MysqlPooled = Direct<PooledConnection<ConnectionManager<MysqlConnection>>>;

impl Open for PgConnection {
    type Server = Postgres;

    fn open(url: &str) -> Self {
        Postgres::connect(url)
    }
}

impl Open for MysqlConnection {
    type Server = MysqlFamily;

    fn open(url: &str) -> Self {
        MysqlFamily::connect(url)
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocking, Pooled, Session};
    use crate::support::arena::Arena;

    fn nests<S: Session>() {
        let arena = Arena::new();
        let mut session = S::connect(arena.url());
        let balance = "SELECT balance FROM accounts WHERE id = 1";
        session.begin().expect("begins");
        session.execute("UPDATE accounts SET balance = 11 WHERE id = 1").expect("updates");
        session.begin().expect("nests");
        session.execute("UPDATE accounts SET balance = 12 WHERE id = 1").expect("updates");
        assert_eq!(session.number(balance), Ok(12));
        session.rollback().expect("rolls the nested one back");
        assert_eq!(session.number(balance), Ok(11));
        assert_eq!(arena.number(balance), 10);
        session.commit().expect("commits");
        assert_eq!(arena.number(balance), 11);
    }

    fn takes_characteristics<S: Session>() {
        let arena = Arena::new();
        let mut session = S::connect(arena.url());
        session.begin_as("ISOLATION LEVEL REPEATABLE READ").expect("begins");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
        arena.execute("DELETE FROM accounts WHERE id = 5");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
        session.rollback().expect("rolls back");
        session.begin_as("READ ONLY").expect("begins");
        session.execute("DELETE FROM accounts").expect_err("read only");
        session.rollback().expect("rolls back");
    }

    #[test]
    fn transactions_nest() {
        nests::<Blocking>();
        nests::<Pooled>();
    }

    #[test]
    fn characteristics_hold_for_the_transaction() {
        takes_characteristics::<Blocking>();
        takes_characteristics::<Pooled>();
    }

    #[test]
    fn the_pid_is_the_servers() {
        let arena = Arena::new();
        let mut session = Pooled::connect(arena.url());
        let pid = i64::from(session.pid());
        assert_eq!(session.number("SELECT pg_backend_pid()"), Ok(pid));
    }
}
