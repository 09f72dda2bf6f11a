//! Settings of the session that an application may have chosen keep no transaction from being begun.

use diesel::{MysqlConnection, RunQueryDsl as _, prelude::*, sql_query};
use diesel_lockset::{Isolation, LockError, LockTransaction, PickDsl, RunLockTransaction};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::Job,
    mysql::MysqlFamily,
    schema::jobs,
};

type Arena = ServerArena<MysqlFamily>;

/// `RELEASE` ends the session with each transaction, so there is one call for each.
const SETTINGS: [&str; 3] = [
    "SET completion_type = 'RELEASE'",
    "SET character_set_connection = 'ucs2'",
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION'",
];

#[test]
fn a_transaction_is_begun_and_committed_whatever_the_session_is_set_to() {
    let arena = Arena::new();
    let calls: [(&str, fn(&mut MysqlConnection) -> Result<(), LockError>); 3] = [
        ("transaction", |conn| LockTransaction::new().run(conn, work)),
        ("transaction at a level", |conn| LockTransaction::new().isolation(Isolation::ReadCommitted).run(conn, work)),
        ("claim", |conn| {
            let next = jobs::table.filter(jobs::id.eq(1)).order(jobs::id);
            let claimed: Vec<Job> = next.claim(1, jobs::attempts.eq(7), conn)?;
            assert_eq!(claimed.len(), 1);
            Ok(())
        }),
    ];
    for setting in SETTINGS {
        for (name, call) in calls {
            arena.execute("UPDATE jobs SET attempts = 0");
            let mut session = MysqlBlocking::connect(arena.url());
            session.execute(setting).unwrap();
            call(session.conn()).unwrap_or_else(|error| panic!("{setting}, {name}: {error:?}"));
            assert_eq!(arena.number("SELECT attempts FROM jobs WHERE id = 1"), 7, "{setting}, {name}");
        }
    }
}

fn work(conn: &mut MysqlConnection) -> Result<(), LockError> {
    sql_query("UPDATE jobs SET attempts = 7 WHERE id = 1").execute(conn)?;
    Ok(())
}

/// In Oracle's mode `BEGIN` begins a block, and is no statement by itself. MySQL has no such mode.
#[test]
fn a_level_does_not_outlive_a_transaction_that_could_not_be_begun() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    if session.execute("SET sql_mode = 'ORACLE'").is_err() {
        return;
    }
    session.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").unwrap();
    let refused = LockTransaction::new().isolation(Isolation::ReadCommitted).run(session.conn(), work);
    assert!(matches!(refused, Err(LockError::Query(_))), "{refused:?}");
    session.execute("SET sql_mode = ''").unwrap();
    assert_eq!(session.number("SELECT @diesel_lockset_isolation IS NULL"), Ok(1));
    session.begin().unwrap();
    let before = session.number("SELECT count(*) FROM jobs");
    arena.execute("DELETE FROM jobs WHERE id = 1");
    assert_eq!(session.number("SELECT count(*) FROM jobs"), before);
    session.rollback().unwrap();
}
