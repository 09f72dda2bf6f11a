//! What only PostgreSQL has: roles that see less, views that are revoked or locked, queues for one row, its words.

use std::time::{Duration, Instant};

use diesel::{PgConnection, RunQueryDsl, connection::SimpleConnection, sql_query};
use diesel_lockset::{
    LockError, LockSet, RunLockSet, RunLockWaits,
    waits::{LockKind, LockWaits},
};

use crate::{
    isolation::{Actor, Pending, Play},
    redacted::redacted,
    support::{
        arena::Arena,
        driver::{Blocking as Driver, Session},
        models::Account,
        patience::until,
        postgres::Postgres,
        server::Server,
    },
};

/// A session that has begun and has run a statement.
fn actor(play: &Play<Driver>, name: &str, statement: &'static str) -> Actor<Driver> {
    let actor = play.session(name);
    let name = name.to_owned();
    actor
        .run("begins", move |s| {
            s.execute(&format!("SET application_name = '{name}'"))?;
            s.begin()?;
            s.execute(statement)
        })
        .unwrap();
    actor
}

fn start(actor: &Actor<Driver>, statement: &'static str) -> Pending<()> {
    let pending = actor.start("waits", move |s| drop(s.execute(statement)));
    assert!(pending.still_blocked());
    pending
}

/// A role of the arena's own that may do nothing, and a connection of it. The role is dropped with its owner.
struct Nobody<'a> {
    arena: &'a Arena,
    name: String,
}

impl<'a> Nobody<'a> {
    fn new(arena: &'a Arena) -> Self {
        let name = format!("{}_nobody", arena.name());
        arena.execute(&format!("CREATE ROLE {name} LOGIN"));
        Nobody { arena, name }
    }

    fn connect(&self) -> PgConnection {
        let (scheme, rest) = self.arena.url().split_once("://").unwrap();
        let place = rest.split_once('@').map_or(rest, |(_, place)| place);
        Postgres::connect(&format!("{scheme}://{}@{place}", self.name))
    }
}

impl Drop for Nobody<'_> {
    fn drop(&mut self) {
        self.arena.execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name));
    }
}

#[test]
fn the_tree_in_the_words_of_the_server() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let root = actor(&play, "root", "UPDATE accounts SET v = 1 WHERE id IN (1, 2)");
    let first = actor(&play, "first", "SELECT 1");
    let _first = start(&first, "SELECT * FROM accounts WHERE id = 1 FOR NO KEY UPDATE");
    let second = actor(&play, "second", "SELECT 1");
    let _second = start(&second, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE");
    let third = actor(&play, "third", "SELECT 1");
    let _third = start(&third, "SELECT * FROM accounts WHERE id = 1 FOR SHARE");
    let table = actor(&play, "table", "SELECT 1");
    let _table = start(&table, "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    let key = actor(&play, "key", "INSERT INTO tags (name, uses) VALUES ('new', 1)");
    let again = actor(&play, "again", "SELECT 1");
    let _again = start(&again, "INSERT INTO tags (name, uses) VALUES ('new', 2)");
    let pids = [&root, &first, &second, &third, &table, &key, &again].map(Actor::pid);
    let waits = redacted(LockWaits::snapshot(&mut arena.pg()).unwrap(), &pids);
    let tree = waits.to_string();
    let expected = "\
5 sessions wait for a lock
session 1 \"root\" (tester) IDLE IN TRANSACTION for 7.0s; transaction open for 7.0s
│ last: UPDATE accounts SET v = 1 WHERE id IN (1, 2)
├─ session 2 \"first\" (tester) waits 7.0s for row (0,1) of accounts, FOR NO KEY UPDATE; transaction open for 7.0s
│  │ runs: SELECT * FROM accounts WHERE id = 1 FOR NO KEY UPDATE
│  ├─ session 3 \"second\" (tester) waits 7.0s for row (0,1) of accounts, FOR UPDATE; transaction open for 7.0s
│  │    runs: SELECT * FROM accounts WHERE id = 1 FOR UPDATE
│  └─ session 4 \"third\" (tester) waits 7.0s for row (0,1) of accounts, FOR SHARE, behind 3; transaction open for 7.0s
│       runs: SELECT * FROM accounts WHERE id = 1 FOR SHARE
└─ session 5 \"table\" (tester) waits 7.0s for the table accounts, AccessExclusiveLock, also held by 2, 3, 4; transaction open for 7.0s
     runs: LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE
session 6 \"key\" (tester) IDLE IN TRANSACTION for 7.0s; transaction open for 7.0s
│ last: INSERT INTO tags (name, uses) VALUES ('new', 1)
└─ session 7 \"again\" (tester) waits 7.0s for the end of a transaction, ShareLock; transaction open for 7.0s
     runs: INSERT INTO tags (name, uses) VALUES ('new', 2)";
    assert_eq!(tree, expected, "{tree}");
    for actor in [&root, &key] {
        actor.kill();
    }
}

#[test]
fn a_role_without_rights_sees_who_waits_and_is_told_what_it_does_not_see() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let root = actor(&play, "root", "SELECT * FROM accounts WHERE id = 1 FOR UPDATE");
    let waiter = actor(&play, "waiter", "SELECT 1");
    let _waiting = start(&waiter, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE");
    let nobody = Nobody::new(&arena);
    let waits = LockWaits::snapshot(&mut nobody.connect()).unwrap();
    let wait = waits.waits.iter().find(|wait| wait.waiter == i64::from(waiter.pid())).unwrap();
    assert_eq!(
        (&wait.kind, &wait.holders[..], wait.table.as_deref()),
        (&LockKind::Row, &[i64::from(root.pid())][..], Some("accounts"))
    );
    let session = waits.session(root.pid().into()).unwrap();
    assert_eq!((session.statement.as_deref(), session.state.as_deref(), &*session.application), (None, None, "root"));
    assert!(waits.limits.iter().any(|limit| limit.contains("pg_read_all_stats")), "{waits}");
    assert!(waits.to_string().contains("\nnot seen: what the sessions of other roles do"), "{waits}");
    arena.execute(&format!("GRANT pg_read_all_stats TO {}", nobody.name));
    let waits = LockWaits::snapshot(&mut nobody.connect()).unwrap();
    assert!(waits.session(root.pid().into()).unwrap().is_idle_in_transaction(), "{waits}");
    root.kill();
}

#[test]
fn a_refused_query_is_a_limit_and_the_transaction_goes_on() {
    let arena = Arena::new();
    let nobody = Nobody::new(&arena);
    arena.execute(&format!("GRANT ALL ON accounts TO {}; REVOKE SELECT ON pg_locks FROM PUBLIC", nobody.name));
    let mut conn = nobody.connect();
    diesel::connection::Connection::begin_test_transaction(&mut conn).unwrap();
    sql_query("UPDATE accounts SET v = 1 WHERE id = 1").execute(&mut conn).unwrap();
    let waits = LockWaits::snapshot(&mut conn).unwrap();
    assert!(waits.is_empty() && waits.limits[0].contains("permission denied for view pg_locks"), "{waits}");
    assert_eq!(sql_query("UPDATE accounts SET v = 2 WHERE v = 1").execute(&mut conn), Ok(1));
}

#[test]
fn a_table_that_is_locked_whole_does_not_keep_a_snapshot_back() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let root = actor(&play, "root", "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    let waiter = actor(&play, "waiter", "SELECT 1");
    let _waiting = start(&waiter, "SELECT * FROM accounts");
    let waits = LockWaits::snapshot(&mut arena.pg()).unwrap();
    let wait = waits.waits.iter().find(|wait| wait.waiter == i64::from(waiter.pid())).unwrap();
    assert_eq!(
        (&wait.kind, &wait.holders[..], wait.table.as_deref()),
        (&LockKind::Table, &[i64::from(root.pid())][..], Some("accounts"))
    );
    root.kill();
}

#[test]
fn a_catalog_that_is_locked_ends_a_snapshot_in_time() {
    let arena = Arena::new();
    let (mut observer, mut admin) = (arena.pg(), arena.pg());
    admin.batch_execute("BEGIN; LOCK TABLE pg_catalog.pg_database IN ACCESS SHARE MODE").unwrap();
    admin.batch_execute("LOCK TABLE pg_catalog.pg_class, pg_catalog.pg_proc IN ACCESS EXCLUSIVE MODE").unwrap();
    let begun = Instant::now();
    let waits = LockWaits::snapshot(&mut observer);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    admin.batch_execute("ROLLBACK").unwrap();
    let waits = waits.unwrap();
    assert!(waits.limits[0].contains("timeout"), "{waits}");
    sql_query("SELECT 1").execute(&mut observer).unwrap();
}

#[test]
fn hostile_names() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE \"we\"\"ird\n]--> `x`\" (id INTEGER PRIMARY KEY); INSERT INTO \"we\"\"ird\n]--> `x`\" VALUES (1)",
    );
    let play = Play::<Driver>::new(&arena);
    let lock = "SELECT * FROM \"we\"\"ird\n]--> `x`\" WHERE id = 1 FOR UPDATE";
    let root = actor(&play, "a\"]; end''\\n|x|\n#", lock);
    let waiter = actor(&play, "b", "SELECT 1");
    let _waiting = start(&waiter, lock);
    let waits = redacted(LockWaits::snapshot(&mut arena.pg()).unwrap(), &[root.pid(), waiter.pid()]);
    assert_eq!(waits.waits[0].table.as_deref(), Some("\"we\"\"ird\n]--> x\""), "{waits}");
    let application = waits.sessions[0].application.clone();
    assert!(application.starts_with("a\"]; end'\\n|x|"), "{application}");
    assert_eq!(waits.to_string().lines().count(), 5, "{waits}");
    assert_eq!(waits.to_mermaid().lines().count(), 4, "{}", waits.to_mermaid());
    root.kill();
}

#[test]
fn an_advisory_lock_of_two_numbers_and_a_table_of_another_database() {
    let (arena, other) = (Arena::new(), Arena::new());
    let play = Play::<Driver>::new(&arena);
    let root = actor(&play, "root", "SELECT pg_advisory_xact_lock(-1, 7)");
    actor_waits(
        &play,
        "SELECT pg_advisory_xact_lock(-1, 7)",
        &root,
        |waits, waiter| {
            let wait = waits.waits.iter().find(|wait| wait.waiter == waiter).unwrap();
            assert_eq!((&wait.kind, wait.key.as_deref()), (&LockKind::Advisory, Some("(-1,7)")), "{waits}");
        },
        &arena,
    );
    root.run("locks", |s| s.execute("SELECT * FROM accounts WHERE id = 1 FOR UPDATE")).unwrap();
    actor_waits(
        &play,
        "SELECT * FROM accounts WHERE id = 1 FOR UPDATE",
        &root,
        |waits, waiter| {
            let wait = waits.waits.iter().find(|wait| wait.waiter == waiter).unwrap();
            assert_eq!(
                (&wait.kind, wait.table.as_deref(), wait.key.is_some()),
                (&LockKind::Row, None, true),
                "{waits}"
            );
            assert!(waits.limits.iter().any(|limit| limit.contains("other databases")), "{waits}");
        },
        &other,
    );
    root.kill();
}

/// Has a session wait, and looks at a snapshot that is taken in `place`.
fn actor_waits(
    play: &Play<Driver>,
    statement: &'static str,
    root: &Actor<Driver>,
    see: impl Fn(&LockWaits, i64),
    place: &Arena,
) {
    let waiter = actor(play, &format!("waiter in {}", place.name()), "SELECT 1");
    let waiting = start(&waiter, statement);
    waiting.blocked_by(root);
    see(&LockWaits::snapshot(&mut place.pg()).unwrap(), waiter.pid().into());
    waiter.kill();
    waiting.join();
}

#[test]
fn a_snapshot_is_serialized() {
    let arena = Arena::new();
    let waits = until(|| Some(LockWaits::snapshot(&mut arena.pg()).unwrap())).unwrap();
    let text = serde_json::to_string(&waits).unwrap();
    assert_eq!(serde_json::from_str::<LockWaits>(&text).unwrap(), waits);
}

#[test]
fn the_sessions_of_a_deadlock_are_told() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let [one, other] = ["one", "other"].map(|name| play.session(name));
    let lock = |id| move |s: &mut Driver| LockSet::new().id::<Account>(id).lock(s.conn()).map(drop);
    for (actor, id) in [(&one, 1), (&other, 2)] {
        actor.run("begins", |s| s.begin()).unwrap();
        actor.run("locks", lock(id)).unwrap();
    }
    let first = one.start("locks 2", lock(2));
    first.blocked_by(&other);
    let second = other.start("locks 1", lock(1));
    let (first, second) = (first.join(), second.join());
    let (error, mut sessions) = match (first, second) {
        (Err(error), Ok(())) => (error, [one.pid(), other.pid()]),
        (Ok(()), Err(error)) => (error, [other.pid(), one.pid()]),
        both => panic!("{both:?}"),
    };
    assert_eq!(error.deadlocked_sessions(), sessions.map(i64::from));
    assert!(LockError::NotInTransaction.deadlocked_sessions().is_empty());
    sessions.sort_unstable();
    let again =
        LockError::RetriesExhausted { tries: 1, elapsed: Duration::ZERO, nested: false, source: Box::new(error) };
    let mut told = again.deadlocked_sessions();
    told.sort_unstable();
    assert_eq!(told, sessions.map(i64::from));
}
