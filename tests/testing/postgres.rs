//! The tests on PostgreSQL.

pub(crate) type Conn = diesel::PgConnection;
pub(crate) const VARIABLE: &str = "PG_DATABASE_URL";

#[path = "anomalies.rs"]
mod anomalies;
#[path = "fixture.rs"]
pub(crate) mod fixture;
#[path = "sound.rs"]
mod sound;

/// Nothing: it is the default.
pub(crate) fn read_committed(_: &mut Conn) -> diesel::QueryResult<()> {
    Ok(())
}
