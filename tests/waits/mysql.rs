//! What only MySQL and MariaDB have: users that see less, the words of each server.

use diesel::{MysqlConnection, RunQueryDsl, connection::SimpleConnection, sql_query};
use diesel_lockset::{LockWaits, RunLockWaits};

use crate::{
    isolation::{Actor, Play},
    redacted::redacted,
    support::{
        arena::ServerArena,
        driver::{MysqlBlocking as Driver, Session},
        mysql::MysqlFamily,
        patience::until,
        server::Server,
    },
};

type Arena = ServerArena<MysqlFamily>;

fn seen(conn: &mut MysqlConnection, waiters: &[i32]) -> LockWaits {
    let found = until(|| {
        let waits = LockWaits::snapshot(conn).unwrap();
        waiters.iter().all(|pid| waits.waits.iter().any(|wait| wait.waiter == i64::from(*pid))).then_some(waits)
    });
    found.unwrap_or_else(|| panic!("{}", LockWaits::snapshot(conn).unwrap()))
}

#[test]
fn the_tree_in_the_words_of_the_server() {
    let arena = Arena::new();
    let mariadb = MysqlFamily::is_mariadb(&mut arena.connect());
    let play = Play::<Driver>::new(&arena);
    let [root, first, second] = ["root", "first", "second"].map(|name| play.session(name));
    root.run("locks", |s| s.begin().and_then(|()| s.execute("UPDATE accounts SET v = 1 WHERE id = 1"))).unwrap();
    let wait = |actor: &Actor<Driver>, statement: &'static str| {
        actor.run("begins", |s| s.begin()).unwrap();
        let pending = actor.start("waits", move |s| drop(s.execute(statement)));
        pending.blocked_by(&root);
        pending
    };
    let _first = wait(&first, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE");
    let _second = wait(&second, "DELETE FROM accounts WHERE id = 1");
    let pids = [&root, &first, &second].map(Actor::pid);
    let tree = redacted(seen(&mut arena.connect(), &pids[1..]), &pids).to_string();
    let (last, mode) =
        if mariadb { ("", "X") } else { ("│ last: UPDATE accounts SET v = 1 WHERE id = 1\n", "X,REC_NOT_GAP") };
    let expected = format!(
        "\
2 sessions wait for a lock
session 1 (tester) IDLE IN TRANSACTION for 7.0s; transaction open for 7.0s
{last}├─ session 2 (tester) waits 7.0s for row 1 of accounts, {mode}; transaction open for 7.0s
│    runs: SELECT * FROM accounts WHERE id = 1 FOR UPDATE
└─ session 3 (tester) waits 7.0s for row 1 of accounts, {mode}, behind 2; transaction open for 7.0s
     runs: DELETE FROM accounts WHERE id = 1"
    );
    assert_eq!(tree, expected, "{tree}");
    root.kill();
}

#[test]
fn a_user_without_rights_is_told_what_it_does_not_see_and_its_transaction_goes_on() {
    let arena = Arena::new();
    // MySQL's names of users are short.
    let (database, user) = (arena.name(), &arena.name()[..32]);
    let mut admin = arena.admin();
    admin.batch_execute(&format!("CREATE USER {user}@'%'")).unwrap();
    admin.batch_execute(&format!("GRANT SELECT, UPDATE ON `{database}`.* TO {user}@'%'")).unwrap();
    let url = arena.url().replacen("root@", &format!("{user}@"), 1);
    let play = Play::<Driver>::new(&arena);
    let [root, waiter] = ["root", "waiter"].map(|name| play.session(name));
    root.run("locks", |s| s.begin().and_then(|()| s.execute("UPDATE accounts SET v = 1 WHERE id = 1"))).unwrap();
    let waiting = waiter.start("waits", |s| drop(s.execute("DELETE FROM accounts WHERE id = 1")));
    waiting.blocked_by(&root);
    let mut nobody = MysqlFamily::connect(&url);
    nobody.batch_execute("START TRANSACTION").unwrap();
    assert_eq!(sql_query("UPDATE accounts SET v = 1 WHERE id = 2").execute(&mut nobody), Ok(1));
    let waits = LockWaits::snapshot(&mut nobody).unwrap();
    assert!(waits.is_empty() && waits.limits.iter().any(|limit| limit.starts_with("waits for rows")), "{waits}");
    assert!(waits.to_string().starts_with("no session is seen to wait for a lock\nnot seen: "), "{waits}");
    assert_eq!(sql_query("UPDATE accounts SET v = 2 WHERE id = 2").execute(&mut nobody), Ok(1));
    nobody.batch_execute("COMMIT").unwrap();
    root.kill();
    waiting.join();
    admin.batch_execute(&format!("DROP USER {user}@'%'")).unwrap();
}

#[test]
fn hostile_names() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE `we``ird \"]--> x.` (id INTEGER PRIMARY KEY) ENGINE = InnoDB");
    arena.execute("INSERT INTO `we``ird \"]--> x.` VALUES (1)");
    let play = Play::<Driver>::new(&arena);
    let lock = "SELECT * FROM `we``ird \"]--> x.` WHERE id = 1 FOR UPDATE";
    let [root, waiter] = ["root", "waiter"].map(|name| play.session(name));
    root.run("locks", move |s| s.begin().and_then(|()| s.execute(lock))).unwrap();
    let waiting = waiter.start("waits", move |s| drop(s.execute(lock)));
    waiting.blocked_by(&root);
    let waits = seen(&mut arena.connect(), &[waiter.pid()]);
    let wait = waits.waits.iter().find(|wait| wait.waiter == i64::from(waiter.pid())).unwrap();
    assert_eq!(wait.table.as_deref(), Some(&*format!("`{}`.`we``ird \"]--> x.`", arena.name())));
    let waits = redacted(waits, &[root.pid(), waiter.pid()]);
    assert_eq!(waits.to_mermaid().lines().count(), 4, "{}", waits.to_mermaid());
    root.kill();
    waiting.join();
}
