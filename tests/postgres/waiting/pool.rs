//! A connection that comes back to its pool after a timeout is as it was before.

use std::time::Duration;

use diesel::{
    Connection, PgConnection, RunQueryDsl,
    dsl::sql,
    r2d2::{ConnectionManager, Pool, PooledConnection},
    sql_query,
    sql_types::Text,
};
use diesel_lockset::{LockError, LockSet, Lockable as _, RunLockSet};

use super::{holder, stale};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::Blocking,
        models::{Account, Order},
    },
};

type Conn = PooledConnection<ConnectionManager<PgConnection>>;

fn text(conn: &mut Conn, query: &str) -> String {
    sql::<Text>(&format!("SELECT ({query})::text")).get_result(conn).unwrap()
}

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(100);

/// G02, G04, R09.
#[test]
fn a_pooled_connection_comes_back_with_its_settings_and_without_a_transaction() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let pool = Pool::builder().max_size(1).build(ConnectionManager::<PgConnection>::new(arena.url())).unwrap();
    let mut conn = pool.get().unwrap();
    let pid = text(&mut conn, "pg_backend_pid()");
    sql_query("SET statement_timeout = '90s'").execute(&mut conn).unwrap();
    sql_query("SET lock_timeout = '70s'").execute(&mut conn).unwrap();
    drop(conn);
    let calls: [fn(&mut Conn) -> Result<(), LockError>; 5] = [
        |conn| LockSet::new().id::<Order>(1).id::<Account>(2).timeout(LONG).lock(conn).map(drop),
        |conn| stale().timeout(SHORT).lock(conn).map(drop),
        |conn| stale().timeout(SHORT).name_holders().lock(conn).map(drop),
        |conn| LockSet::new().ids::<Account>([2, 1]).no_wait().lock(conn).map(drop),
        |conn| conn.transaction(|conn| stale().timeout(SHORT).lock(conn).map(drop)),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        let mut conn = pool.get().unwrap();
        let result = conn.transaction(call);
        assert_eq!(result.is_ok(), number == 0, "{number}: {result:?}");
        drop(conn);
        let mut conn = pool.get().unwrap();
        assert_eq!(text(&mut conn, "pg_backend_pid()"), pid, "{number}: another connection");
        let settings = "current_setting('statement_timeout') || ' ' || current_setting('lock_timeout')";
        assert_eq!(text(&mut conn, settings), "90s 70s", "{number}");
        let state = format!("SELECT state FROM pg_stat_activity WHERE pid = {pid}");
        assert_eq!(arena.text(&state).as_deref(), Some("idle"), "{number}");
        assert_eq!(arena.held_keys("accounts", "id"), ["1"], "{number}");
    }
}
