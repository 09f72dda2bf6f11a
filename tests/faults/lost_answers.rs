//! The answer to a statement is lost: of a commit it is not known what became of it, of anything else it is.

use std::error::Error;

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{
    AdvisoryLock, LockDsl, LockError, LockTransaction, Lockable, PickDsl, RunAdvisoryLock, RunLockTransaction,
    advisory_locked, run_pending_migrations_locked,
};
use diesel_migrations::FileBasedMigrations;

use super::Driver;
use crate::support::{
    arena::ServerArena,
    driver::Session,
    models::Job,
    proxy::{Fate, Proxy, Sent},
    schema::{accounts, jobs},
    server::{Observer as _, Server},
};

pub(super) type Arena = ServerArena<<Driver as Session>::Server>;
type Conn = <Driver as Session>::Conn;

/// PostgreSQL claims in one statement, and takes no statement after one that failed.
const POSTGRES: bool = !<<Driver as Session>::Server as Server>::UNDOES_STATEMENTS;

/// How a transaction of the crate is begun and committed. On MySQL and MariaDB the statements are prepared, and the text of the one that
/// commits is told from others by the byte in front of it, the command to prepare.
const BEGIN: (&str, Sent) = if POSTGRES { ("BEGIN", Sent::AsText) } else { ("BEGIN", Sent::Prepared) };
const COMMIT: (&str, Sent) = if POSTGRES { ("COMMIT", Sent::AsText) } else { ("\u{16}COMMIT", Sent::Prepared) };

/// Diesel prepares a text that it does not know on MySQL and MariaDB only.
const RAW: Sent = if POSTGRES { Sent::AsText } else { Sent::Prepared };

#[derive(Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
struct Counter {
    id: i32,
}

impl Counter {
    #[advisory_locked]
    fn bump(&self, conn: &mut Conn, tries: &mut usize) -> Result<(), LockError> {
        *tries += 1;
        bump(conn)
    }
}

fn bump(conn: &mut Conn) -> Result<(), LockError> {
    Ok(Driver::execute_on(conn, "UPDATE accounts SET v = v + 1 WHERE id = 1").map(drop)?)
}

const ONE: Counter = Counter { id: 1 };

type Call = fn(&mut Conn, &mut usize) -> Result<(), LockError>;

/// Every way to have a transaction opened by the crate, with the same work in it.
const CALLS: [(&str, Call); 9] = [
    ("LockTransaction", |conn, tries| {
        LockTransaction::new().run(conn, |conn| {
            *tries += 1;
            bump(conn)
        })
    }),
    ("retry_when", |conn, tries| {
        LockTransaction::new().retry_when(|_| true).run(conn, |conn| {
            *tries += 1;
            bump(conn)
        })
    }),
    ("a Diesel error as the closure's", |conn, tries| {
        let done: Result<(), DieselError> = LockTransaction::new().run(conn, |conn| {
            *tries += 1;
            Ok(bump(conn)?)
        });
        Ok(done?)
    }),
    ("with_lock", |conn, tries| {
        ONE.with_lock(conn, |_, conn| {
            *tries += 1;
            bump(conn)
        })
    }),
    ("hold", |conn, tries| {
        AdvisoryLock::on(&ONE).hold(conn, |conn| {
            *tries += 1;
            bump(conn)
        })
    }),
    ("try_hold", |conn, tries| {
        let held: Result<Option<()>, LockError> = AdvisoryLock::on(&ONE).try_hold(conn, |conn| {
            *tries += 1;
            bump(conn)
        });
        held.map(|held| held.expect("nobody else has it"))
    }),
    ("advisory_locked", |conn, tries| ONE.bump(conn, tries)),
    ("hold in a LockTransaction", |conn, tries| LockTransaction::new().run(conn, |conn| ONE.bump(conn, tries))),
    ("with_lock in a LockTransaction", |conn, tries| {
        LockTransaction::new().run(conn, |conn| {
            ONE.with_lock(conn, |_, conn| {
                *tries += 1;
                bump(conn)
            })
        })
    }),
];

#[track_caller]
fn assert_unknown(error: &LockError, name: &str) {
    assert!(format!("{error:?}").starts_with("CommitUnknown"), "{name}: {error:?}");
    assert!(!error.is_retryable() && !error.is_contended() && !error.transaction_is_lost(), "{name}: {error:?}");
    assert!(error.source().is_some() && error.to_string().contains("look whether"), "{name}: {error}");
}

#[track_caller]
fn assert_lost(error: &LockError, name: &str) {
    // Who asks for a retry of everything has it, in vain.
    assert!(matches!(error.last(), LockError::ConnectionLost(_)), "{name}: {error:?}");
}

/// Runs each call, with one of its statements treated so; its error, the times that the closure ran, and what is in the table.
fn each((text, sent): (&str, Sent), fate: Fate, judge: impl Fn(&str, &LockError, usize, i64)) {
    let arena = Arena::new();
    let proxy = Proxy::in_front_of(arena.url());
    for (name, call) in CALLS {
        arena.execute("UPDATE accounts SET v = 0");
        let (mut session, mut tries) = (Driver::connect(proxy.url()), 0);
        let pid = session.pid();
        proxy.expect(text, sent, fate);
        let error = call(session.conn(), &mut tries).expect_err(name);
        assert!(proxy.has_met(), "{name}: {text} was not sent: {error:?}");
        arena.connect().wait_until_gone(pid);
        judge(name, &error, tries, arena.number("SELECT v FROM accounts WHERE id = 1"));
        let next = LockTransaction::new().run(session.conn(), bump).unwrap_err();
        assert_lost(&next, name);
    }
}

#[test]
fn the_answer_to_a_commit_is_lost() {
    each(COMMIT, Fate::AnswerLost, |name, error, tries, v| {
        assert_unknown(error, name);
        assert_eq!((tries, v), (1, 1), "{name}");
    });
}

#[test]
fn a_commit_does_not_arrive() {
    each(COMMIT, Fate::NeverSent, |name, error, tries, v| {
        assert_unknown(error, name);
        assert_eq!((tries, v), (1, 0), "{name}");
    });
}

#[test]
fn the_answer_to_a_begin_is_lost() {
    for fate in [Fate::AnswerLost, Fate::NeverSent] {
        each(BEGIN, fate, |name, error, tries, v| {
            assert_lost(error, name);
            assert_eq!((tries, v), (0, 0), "{name}");
        });
    }
}

#[test]
fn the_answer_to_a_statement_before_the_commit_is_lost() {
    for fate in [Fate::AnswerLost, Fate::NeverSent] {
        each(("UPDATE accounts", RAW), fate, |name, error, _, v| {
            assert_lost(error, name);
            assert_eq!(v, 0, "{name}");
        });
    }
}

#[test]
fn the_release_of_a_savepoint_commits_nothing() {
    let arena = Arena::new();
    let proxy = Proxy::in_front_of(arena.url());
    for (name, call) in &CALLS[7..] {
        let mut session = Driver::connect(proxy.url());
        let pid = session.pid();
        proxy.expect("RELEASE SAVEPOINT diesel_savepoint", BEGIN.1, Fate::AnswerLost);
        assert_lost(&call(session.conn(), &mut 0).unwrap_err(), name);
        arena.connect().wait_until_gone(pid);
        assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 0, "{name}");
    }
}

#[test]
fn a_closure_that_swallows_the_loss_sends_no_commit() {
    let arena = Arena::new();
    let proxy = Proxy::in_front_of(arena.url());
    let mut session = Driver::connect(proxy.url());
    proxy.expect("UPDATE accounts", RAW, Fate::AnswerLost);
    let done = LockTransaction::new().run(session.conn(), |conn| {
        let _ = bump(conn);
        Ok::<_, LockError>(())
    });
    assert_lost(&done.unwrap_err(), "swallowed");
}

fn claim(conn: &mut Conn) -> Result<Vec<Job>, LockError> {
    jobs::table.filter(jobs::queue.eq("mail").and(jobs::status.eq("NEW"))).order(jobs::id).claim(
        1,
        jobs::status.eq("TAKEN"),
        conn,
    )
}

/// Where the claim is one statement, that is what is committed.
fn expect_the_commit_of_a_claim(proxy: &Proxy, fate: Fate) {
    if POSTGRES {
        proxy.expect("UPDATE \"jobs\"", Sent::Prepared, fate);
    } else {
        proxy.expect(" FOR */ COMMIT", Sent::Prepared, fate);
    }
}

#[test]
fn the_answer_to_a_claim_by_itself_is_lost() {
    let arena = Arena::new();
    let proxy = Proxy::in_front_of(arena.url());
    for (fate, taken) in [(Fate::AnswerLost, 1), (Fate::NeverSent, 0)] {
        arena.execute("UPDATE jobs SET queue = 'mail', status = 'NEW'");
        let mut session = Driver::connect(proxy.url());
        let pid = session.pid();
        expect_the_commit_of_a_claim(&proxy, fate);
        assert_unknown(&claim(session.conn()).unwrap_err(), "a claim");
        arena.connect().wait_until_gone(pid);
        assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status = 'TAKEN'"), taken, "{fate:?}");
        assert_lost(&claim(session.conn()).unwrap_err(), "another claim");
    }
}

#[test]
fn the_answer_to_a_claim_in_a_transaction_is_lost() {
    let arena = Arena::new();
    arena.execute("UPDATE jobs SET queue = 'mail', status = 'NEW'");
    let proxy = Proxy::in_front_of(arena.url());
    let mut session = Driver::connect(proxy.url());
    let text = if POSTGRES { "UPDATE \"jobs\"" } else { "UPDATE /* " };
    proxy.expect(text, Sent::Prepared, Fate::AnswerLost);
    let done = LockTransaction::new().run(session.conn(), claim);
    assert_lost(&done.unwrap_err(), "a claim");
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status = 'TAKEN'"), 0);
}

/// One migration, which makes a table.
fn migration(in_transaction: bool) -> (tempfile::TempDir, FileBasedMigrations) {
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("2026-11-01-000001_one");
    std::fs::create_dir(&one).unwrap();
    std::fs::write(one.join("up.sql"), "CREATE TABLE made_by_it (id integer PRIMARY KEY);").unwrap();
    std::fs::write(one.join("down.sql"), "DROP TABLE made_by_it;").unwrap();
    std::fs::write(one.join("metadata.toml"), format!("run_in_transaction = {in_transaction}")).unwrap();
    let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
    (folder, migrations)
}

/// The class of the error of a migration, and whether its table is there.
fn migrate(in_transaction: bool, text: &str, sent: Sent, fate: Fate) -> (bool, bool) {
    let arena = Arena::new();
    let proxy = Proxy::in_front_of(arena.url());
    let mut session = Driver::connect(proxy.url());
    let (_folder, migrations) = migration(in_transaction);
    let pid = session.pid();
    proxy.expect(text, sent, fate);
    let error = run_pending_migrations_locked(session.conn(), migrations).unwrap_err();
    assert!(proxy.has_met(), "{text} was not sent: {error:?}");
    let unknown = error.downcast_ref::<LockError>().is_some_and(|error| {
        assert_unknown(error, "a migration");
        true
    });
    arena.connect().wait_until_gone(pid);
    let there = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'made_by_it' AND table_schema IN \
                 ('public', '";
    (unknown, arena.number(&format!("{there}{}')", arena.name())) == 1)
}

#[test]
fn the_answer_to_a_migration_is_lost() {
    assert_eq!(migrate(true, "BEGIN", Sent::AsText, Fate::AnswerLost), (false, false));
    assert_eq!(migrate(true, "COMMIT", Sent::AsText, Fate::AnswerLost), (true, true));
    // The others commit when they make a table.
    assert_eq!(migrate(true, "CREATE TABLE made_by_it", Sent::AsText, Fate::AnswerLost), (!POSTGRES, !POSTGRES));
    assert_eq!(migrate(false, "CREATE TABLE made_by_it", Sent::AsText, Fate::AnswerLost), (true, true));
    assert_eq!(migrate(true, "COMMIT", Sent::AsText, Fate::NeverSent), (true, !POSTGRES));
}
