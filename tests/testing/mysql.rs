//! The tests on MariaDB or MySQL.

pub(crate) type Conn = diesel::MysqlConnection;
pub(crate) const VARIABLE: &str = "MYSQL_DATABASE_URL";

#[path = "anomalies.rs"]
mod anomalies;
#[path = "fixture.rs"]
pub(crate) mod fixture;
#[path = "sound.rs"]
mod sound;

pub(crate) fn read_committed(conn: &mut Conn) -> diesel::QueryResult<()> {
    use diesel::connection::SimpleConnection;
    conn.batch_execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
}
