//! What MySQL and MariaDB are told in their own words.

use diesel::{
    MysqlConnection, QueryableByName, RunQueryDsl, mysql::Mysql, result::Error as DieselError, sql_query,
    sql_types::Text,
};
use diesel_lockset::{LockSet, Strength};

use crate::{phases::Family, support};

#[path = "each/mod.rs"]
mod each;

#[test]
fn attack() {
    each::attack();
}

pub(crate) type Conn = MysqlConnection;
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

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Text, column_name = "Status")]
    text: String,
}

/// The sessions of a deadlock, from the server's story of the latest one, if that is the one of this session.
///
/// A statement of a lock set has no room for a comment, but each transaction of the story comes with the number of its session.
pub(crate) fn circle(_: &DieselError, observer: &mut Conn, session: i32) -> Option<Vec<i32>> {
    let status: Status = sql_query("SHOW ENGINE INNODB STATUS").get_result(observer).ok()?;
    let (_, story) = status.text.split_once("LATEST DETECTED DEADLOCK")?;
    let story = story.split("\nTRANSACTIONS\n").next()?;
    let numbers = story
        .split("thread id ")
        .skip(1)
        .filter_map(|rest| rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok());
    let mut circle: Vec<i32> = numbers.collect();
    circle.sort_unstable();
    circle.dedup();
    Some(circle).filter(|circle| circle.contains(&session))
}
