//! What PostgreSQL is told in its own words.

use diesel::{PgConnection, pg::Pg, result::Error as DieselError};
use diesel_lockset::{LockSet, Strength};

use crate::{phases::Family, support};

mod blocking;
mod nonblocking;

pub(crate) type Db = Pg;
pub(crate) type Target = support::postgres::Postgres;
pub(crate) const FAMILY: Family = Family::Postgres;

/// Functions, and a trigger that lets nobody change a task of queue 9.
pub(crate) const FUNCTIONS: &str = "\
    CREATE FUNCTION doubled(i integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 2 * i';
    CREATE FUNCTION piece_kind(i integer) RETURNS integer STABLE LANGUAGE sql AS
        'SELECT kind FROM marks WHERE piece_id = i';
    CREATE FUNCTION piece_is_open(i integer) RETURNS boolean STABLE LANGUAGE sql AS
        'SELECT status = ''open'' FROM pieces WHERE id = i';
    CREATE FUNCTION task_is_new(i integer) RETURNS boolean STABLE LANGUAGE sql AS
        'SELECT status = ''new'' FROM tasks WHERE id = i';
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW WHEN (OLD.queue = 9) EXECUTE FUNCTION refuse();";

pub(crate) const SESSION: &str = "SELECT 1";

/// The settings of a session when endings are probed: a circle is found before the timeout of a set in it is over. Only a superuser
/// may change it.
pub(crate) const PROBING: &str = "SET deadlock_timeout = '10ms'";

pub(crate) const STRENGTHS: &[Strength] =
    &[Strength::Update, Strength::NoKeyUpdate, Strength::Share, Strength::KeyShare];

pub(crate) fn strengthen<'a>(set: LockSet<'a, Db>, strength: Strength) -> LockSet<'a, Db> {
    match strength {
        Strength::Update => set.for_update(),
        Strength::NoKeyUpdate => set.for_no_key_update(),
        Strength::Share => set.for_share(),
        Strength::KeyShare => set.for_key_share(),
    }
}

/// The locking clause by which a session asks again for what it holds.
pub(crate) fn clause(strength: Strength) -> &'static str {
    match strength {
        Strength::Update => "FOR UPDATE NOWAIT",
        Strength::NoKeyUpdate => "FOR NO KEY UPDATE NOWAIT",
        Strength::Share => "FOR SHARE NOWAIT",
        Strength::KeyShare => "FOR KEY SHARE NOWAIT",
    }
}

pub(crate) fn insert_taken(task: i32) -> String {
    format!("INSERT INTO taken VALUES ({task}) ON CONFLICT DO NOTHING")
}

pub(crate) fn cancel(pid: i32, ends: bool) -> String {
    let verb = if ends { "pg_terminate_backend" } else { "pg_cancel_backend" };
    format!("SELECT {verb}({pid})")
}

/// The sessions of a deadlock, from the detail of the error: a line for each, which begins with its process.
pub(crate) fn circle(error: &DieselError, _: &mut PgConnection, _: i32) -> Option<Vec<i32>> {
    let DieselError::DatabaseError(_, information) = error else { return None };
    let processes = information.details()?.lines().filter_map(|line| {
        let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
        digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
    });
    Some(processes.collect()).filter(|circle: &Vec<i32>| circle.len() > 1)
}
