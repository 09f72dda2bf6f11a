//! The name on the server is the same everywhere: pinned, and computed by the server and by Python.

use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel_lockset::{AdvisoryLock, AdvisoryName, RunAdvisoryLock};

use super::{Arena, account};
use crate::support::{
    driver::{MysqlBlocking, Session},
    models::{Account, Seat, Tag},
    mysql::MysqlFamily,
    server::Server,
};

/// Changing one of these would let two versions of an application run at the same time what must not.
fn vectors() -> Vec<(AdvisoryName, &'static str, &'static str)> {
    let locks = [
        (AdvisoryLock::id::<Account>(3), "shop", "690cd9febc2c976f"),
        (AdvisoryLock::id::<Account>(3), "Shop", "7011a0837c16dbc8"),
        (AdvisoryLock::id::<Account>(3).scope("send"), "shop", "3b05c799f1f6650a"),
        (AdvisoryLock::id::<Tag>("it's"), "shop", "8c8a98a51f5c461b"),
        (AdvisoryLock::id::<Tag>("a|b\\c,ä"), "läden", "5722c0e2f00c9a35"),
        (AdvisoryLock::id::<Tag>("🔒"), "shop", "0701e15859ed630b"),
        (AdvisoryLock::id::<Seat>(("A".to_owned(), 12)), "shop", "48f57398831e1e2c"),
        (AdvisoryLock::named("nightly-report"), "shop", "ff892b5c178f6069"),
        (AdvisoryLock::named("nightly-report").scope("eu"), "shop", "1de314296fe28c42"),
    ];
    locks.into_iter().map(|(lock, database, key)| (lock.name().clone(), database, key)).collect()
}

/// K16.
#[test]
fn names_are_pinned() {
    for (name, database, key) in vectors() {
        assert_eq!(name.key_in(database), key, "{name} in {database}");
    }
}

/// K16.
#[test]
fn the_server_computes_the_same_name() {
    let arena = Arena::new();
    let mut conn = arena.connect();
    conn.batch_execute("SET NAMES utf8mb4").unwrap();
    for (name, ..) in vectors() {
        let text = name.text().replace('\\', "\\\\").replace('\'', "''");
        let sql =
            format!("SELECT LEFT(SHA2(CONCAT(CAST(DATABASE() AS BINARY), '|', CAST('{text}' AS BINARY)), 256), 16)");
        let computed = MysqlFamily::text(&mut conn, &sql).unwrap();
        assert_eq!(computed, Some(name.key_in(arena.name())), "{name}");
    }
}

/// K16.
#[test]
fn python_computes_the_same_name() {
    let line = "import hashlib, sys\n\
                for text in sys.argv[1:]: print(hashlib.sha256(text.encode()).hexdigest()[:16])";
    let vectors = vectors();
    let texts = vectors.iter().map(|(name, database, _)| format!("{database}|{}", name.text()));
    let output = Command::new("python3").arg("-c").arg(line).args(texts).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let keys: Vec<&str> = said.lines().collect();
    assert_eq!(keys, vectors.iter().map(|(.., key)| *key).collect::<Vec<_>>(), "{:?}", output.stderr);
}

/// K16, K18.
///
/// Whatever character set the session speaks: the name is of bytes.
#[test]
fn a_name_is_what_the_server_has() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    for speaks in [
        "SET NAMES utf8mb4",
        "SET NAMES latin1",
        "SET NAMES utf8mb3",
        "SET NAMES sjis",
        "SET NAMES utf8mb4; SET collation_connection = utf16_general_ci",
        "SET NAMES utf8mb4; SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'",
    ] {
        session.conn().batch_execute(speaks).unwrap();
        for (name, ..) in vectors() {
            let lock = match name.text().split_once('|') {
                Some(("Tag", "it's")) => AdvisoryLock::id::<Tag>("it's"),
                Some(("Tag", "🔒")) => AdvisoryLock::id::<Tag>("🔒"),
                Some(("Tag", _)) => AdvisoryLock::id::<Tag>("a|b\\c,ä"),
                _ => account(3),
            };
            let held = format!("SELECT IS_USED_LOCK('{}')", lock.name().key_in(arena.name()));
            let _guard = lock.acquire(session.conn()).unwrap();
            assert!(arena.text(&held).is_some(), "{name} {speaks}");
        }
    }
}

/// M03.
#[test]
fn long_names_are_locks_of_their_own() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let of = |last: &str| AdvisoryLock::named(&"t".repeat(60)).scope(&format!("{}{last}", "k".repeat(199)));
    let _guard = of("a").acquire(one.conn()).unwrap();
    assert!(of("a").try_acquire(two.conn()).unwrap().is_none());
    for other in ["b", "A", "a ", "ä", ""] {
        assert!(of(other).try_acquire(two.conn()).unwrap().is_some(), "{other}");
    }
}
