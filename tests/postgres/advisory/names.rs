//! The key is the same everywhere: pinned, and computed by the server and by Python.

use std::process::Command;

use diesel::{RunQueryDsl, dsl::sql, sql_types::BigInt};
use diesel_lockset::{AdvisoryLock, AdvisoryName};
use uuid::Uuid;

use crate::support::{
    arena::Arena,
    models::{Account, Day, Doc, Seat, Tag},
};

/// Changing one of these would let two versions of an application run at the same time what must not.
fn vectors() -> Vec<(AdvisoryName, &'static str, i64)> {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 28).unwrap();
    let uid = Uuid::parse_str("7F000000-0000-0000-0000-0000000000AB").unwrap();
    let locks = [
        (AdvisoryLock::id::<Account>(3), "Account|3", -1_855_983_465_845_349_860),
        (AdvisoryLock::id::<Account>(-1), "Account|-1", -7_529_027_115_237_654_105),
        (AdvisoryLock::id::<Account>(3).scope("send"), "Account|3|send", -6_353_306_320_708_924_917),
        (AdvisoryLock::id::<Tag>("it's"), "Tag|it's", -5_539_832_582_729_885_862),
        (AdvisoryLock::id::<Tag>("a|b\\c,ä"), "Tag|a\\|b\\\\c\\,ä", -3_204_528_224_483_915_138),
        (AdvisoryLock::id::<Seat>(("A".to_owned(), 12)), "Seat|A,12", 7_831_709_592_555_633_521),
        (AdvisoryLock::id::<Doc>(uid), "Doc|7f000000-0000-0000-0000-0000000000ab", -1_846_260_232_206_453_196),
        (AdvisoryLock::id::<Day>(day), "Day|2026-02-28", 3_196_587_819_738_131_671),
        (AdvisoryLock::named("nightly-report"), "|nightly-report", 1_953_063_839_132_307_595),
        (AdvisoryLock::named("nightly-report").scope("eu"), "|nightly-report|eu", -1_221_878_203_929_074_352),
    ];
    locks.into_iter().map(|(lock, text, key)| (lock.name().clone(), text, key)).collect()
}

/// K16.
#[test]
fn texts_and_keys_are_pinned() {
    for (name, text, key) in vectors() {
        assert_eq!((name.text(), name.key()), (text, key));
    }
}

/// K16.
#[test]
fn the_server_computes_the_same_key() {
    let arena = Arena::new();
    for (name, text, key) in vectors() {
        let text = text.replace('\'', "''");
        // Backslashes mean nothing in a plain string; `sha256` takes bytes.
        let expression =
            format!("('x' || left(encode(sha256(convert_to('{text}', 'UTF8')), 'hex'), 16))::bit(64)::bigint");
        let computed: i64 = sql::<BigInt>(&format!("SELECT {expression}")).get_result(&mut arena.pg()).unwrap();
        assert_eq!(computed, key, "{name}");
    }
}

/// K16.
#[test]
fn python_computes_the_same_key() {
    let line = "import hashlib, sys\n\
                for text in sys.argv[1:]: \
                print(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], 'big', signed=True))";
    let texts = vectors();
    let output =
        Command::new("python3").arg("-c").arg(line).args(texts.iter().map(|(_, text, _)| text)).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let keys: Vec<i64> = said.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(keys, texts.iter().map(|(_, _, key)| *key).collect::<Vec<_>>(), "{:?}", output.stderr);
}

/// K18.
#[test]
fn a_key_is_what_the_server_shows() {
    use diesel_lockset::RunAdvisoryLock;

    let arena = Arena::new();
    let mut conn = arena.pg();
    for (lock, key) in
        [(AdvisoryLock::named("x"), None), (AdvisoryLock::id::<Account>(3), Some(-1_855_983_465_845_349_860))]
    {
        let expected = lock.name().key();
        assert!(key.is_none_or(|key| key == expected));
        let _guard = lock.acquire(&mut conn).unwrap();
        let shown = arena.number(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND database = \
             (SELECT oid FROM pg_database WHERE datname = current_database())",
        );
        assert_eq!(shown, expected);
    }
}
