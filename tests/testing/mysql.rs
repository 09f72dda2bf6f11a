//! The tests on MariaDB or MySQL.

pub(crate) type Conn = diesel::MysqlConnection;
pub(crate) const VARIABLE: &str = "MYSQL_DATABASE_URL";

#[path = "anomalies.rs"]
mod anomalies;
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

pub(crate) fn read_committed(conn: &mut Conn) -> diesel::QueryResult<()> {
    isolate(conn, "READ COMMITTED")
}

/// The isolation levels, and the cases that each of them allows.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-transaction-isolation-levels.html>
pub(crate) fn levels() -> Vec<(&'static str, Vec<&'static str>)> {
    let dirty = ["G1a", "G1b", "G1c", "OTV"];
    let unrepeatable = ["PMP", "P4", "G-single", "G2-item", "G2"];
    let mut repeatable = vec!["G2-item", "G2"];
    if !refuses_old_rows() {
        repeatable.push("P4");
    }
    vec![
        ("READ UNCOMMITTED", dirty.into_iter().chain(unrepeatable).collect()),
        ("READ COMMITTED", unrepeatable.to_vec()),
        ("REPEATABLE READ", repeatable),
        ("SERIALIZABLE", vec![]),
    ]
}

/// MariaDB, from 11.6.2 on by default.
///
/// <https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation>
fn refuses_old_rows() -> bool {
    use diesel::{Connection, RunQueryDsl, dsl::sql, sql_types::Bool};
    let mut conn = Conn::establish(&std::env::var(VARIABLE).unwrap()).unwrap();
    sql::<Bool>("SELECT /*!80001 FALSE */ /*M! @@innodb_snapshot_isolation */").get_result(&mut conn).unwrap()
}

pub(crate) fn isolate(conn: &mut Conn, level: &str) -> diesel::QueryResult<()> {
    use diesel::connection::SimpleConnection;
    conn.batch_execute(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"))
}
