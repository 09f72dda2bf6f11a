//! The tests on PostgreSQL.

pub(crate) type Conn = diesel::PgConnection;
pub(crate) const VARIABLE: &str = "PG_DATABASE_URL";

#[path = "anomalies.rs"]
mod anomalies;
#[path = "claims.rs"]
mod claims;
#[path = "deadlocks.rs"]
mod deadlocks;
#[path = "fixture.rs"]
pub(crate) mod fixture;
#[path = "harness.rs"]
mod harness;
#[path = "hermitage.rs"]
mod hermitage;
#[path = "order.rs"]
mod order;
#[path = "sound.rs"]
mod sound;

/// Nothing: it is the default.
pub(crate) fn read_committed(_: &mut Conn) -> diesel::QueryResult<()> {
    Ok(())
}

/// The isolation levels, and the cases that each of them allows.
///
/// <https://www.postgresql.org/docs/current/transaction-iso.html>
pub(crate) fn levels() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("READ COMMITTED", vec!["PMP", "PMP of writes", "P4", "G-single", "G2-item", "G2"]),
        ("REPEATABLE READ", vec!["G2-item", "G2"]),
        ("SERIALIZABLE", vec![]),
    ]
}

pub(crate) fn isolate(conn: &mut Conn, level: &str) -> diesel::QueryResult<()> {
    use diesel::connection::SimpleConnection;
    conn.batch_execute(&format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"))
}
