//! What MySQL and MariaDB are told in their own words.

use diesel::{
    MysqlConnection, RunQueryDsl,
    dsl::sql,
    mysql::Mysql,
    result::Error as DieselError,
    sql_types::{Nullable, Text},
};
use diesel_lockset::{LockSet, Strength};

use crate::{phases::Family, support};

mod blocking;
mod nonblocking;

pub(crate) type Db = Mysql;
pub(crate) type Target = support::mysql::MysqlFamily;
pub(crate) const FAMILY: Family = Family::Mysql;

pub(crate) const FUNCTIONS: &str = "\
    CREATE FUNCTION doubled(i integer) RETURNS integer DETERMINISTIC RETURN 2 * i;
    CREATE FUNCTION piece_kind(i integer) RETURNS integer READS SQL DATA
        RETURN (SELECT kind FROM marks WHERE piece_id = i);
    CREATE FUNCTION piece_is_open(i integer) RETURNS boolean READS SQL DATA
        RETURN (SELECT status = 'open' FROM pieces WHERE id = i);
    CREATE FUNCTION task_is_new(i integer) RETURNS boolean READS SQL DATA
        RETURN (SELECT status = 'new' FROM tasks WHERE id = i);";

/// Nothing waits so long that a phase would have to wait for it.
pub(crate) const SESSION: &str = "SET SESSION innodb_lock_wait_timeout = 4";

/// The settings of a session when endings are probed: a probe may wait as long as its own limit says.
pub(crate) const PROBING: &str = "SET SESSION innodb_lock_wait_timeout = 5";

pub(crate) const STRENGTHS: &[Strength] = &[Strength::Update, Strength::Share];

pub(crate) fn strengthen<'a>(set: LockSet<'a, Db>, strength: Strength) -> LockSet<'a, Db> {
    match strength {
        Strength::Share => set.for_share(),
        _ => set.for_update(),
    }
}

/// The locking clause by which a session asks again for what it holds.
pub(crate) fn clause(strength: Strength) -> &'static str {
    match strength {
        Strength::Share => "/*!80001 FOR SHARE NOWAIT */ /*M! LOCK IN SHARE MODE NOWAIT */",
        _ => "FOR UPDATE NOWAIT",
    }
}

pub(crate) fn insert_taken(task: i32) -> String {
    format!("INSERT IGNORE INTO taken VALUES ({task})")
}

pub(crate) fn cancel(pid: i32, ends: bool) -> String {
    format!("KILL {} {pid}", if ends { "CONNECTION" } else { "QUERY" })
}

/// The sessions of a deadlock, from the server's own log: the latest story in it that has this session. Nothing if the server
/// may not read its log, which MySQL never tells by a statement that Diesel could read.
///
/// A statement of a lock set has no room for a comment, but each transaction of a story comes with the number of its session.
pub(crate) fn circle(_: &DieselError, observer: &mut MysqlConnection, session: i32) -> Option<Vec<i32>> {
    let log = "SELECT CONVERT(RIGHT(LOAD_FILE(@@log_error), 400000) USING utf8mb4)";
    let log: Option<String> = sql::<Nullable<Text>>(log).get_result(observer).ok()?;
    let stories = log.as_deref()?.split("ransactions deadlock detected").skip(1).map(|story| {
        let numbers = story.split("thread id ").skip(1);
        numbers.filter_map(|rest| rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()).collect()
    });
    stories.filter(|circle: &Vec<i32>| circle.contains(&session)).last()
}
