//! Texts as Diesel writes them.

use super::*;
#[cfg(feature = "mysql")]
use diesel::mysql::Mysql;
#[cfg(feature = "postgres")]
use diesel::pg::Pg;

#[allow(unused_imports)]
use crate::backend::LockingBackend;

#[cfg(feature = "postgres")]
fn pg(text: &str) -> Statement {
    Statement::read(text, Pg::DIALECT)
}

#[cfg(feature = "postgres")]
#[test]
fn tables_and_keys_of_diesels_statements() {
    let update = pg(r#"UPDATE "accounts" SET "balance" = ($1) WHERE ("accounts"."id" = $2) -- binds: [70, 1]"#);
    assert_eq!(update.locked_tables(), ["accounts"]);
    assert_eq!(update.keys(), ["1"]);
    let read = pg(
        r#"SELECT "a"."id" FROM "a" INNER JOIN "s"."b" ON true WHERE "a"."id" = ANY($1) FOR UPDATE OF "a" -- binds: [[3, 4]]"#,
    );
    assert_eq!((read.read_tables(), read.locked_tables()), (vec!["a".into(), "s.b".into()], vec!["a".to_owned()]));
    assert_eq!(read.keys(), ["3", "4"]);
    assert_eq!(pg("DELETE FROM a WHERE id IN ($1, $2) -- binds: [3, \"x, y\"]").keys(), ["3", "\"x, y\""]);
    assert_eq!(pg("SELECT * FROM a WHERE id = $1 AND b = $2 FOR UPDATE -- binds: [3, 4]").keys(), Vec::<String>::new());
    assert!(!pg("SELECT * FROM a -- binds: []").locks_rows());
    assert!(pg("SELECT * FROM a ORDER BY id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED -- binds: [1]").picks());
}

#[cfg(feature = "postgres")]
#[test]
fn only_what_takes_no_lock_and_no_snapshot_is_local() {
    for (text, local) in [
        ("BEGIN", true),
        ("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE", true),
        ("SAVEPOINT a", true),
        ("RELEASE SAVEPOINT a", true),
        ("ROLLBACK TO SAVEPOINT a", false),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", true),
        ("SET x = 1", false),
        ("COMMIT", false),
        ("BEGIN; DELETE FROM a", false),
        ("BEGIN;", true),
        ("ROLLBACK", false),
        ("SELECT 1", false),
    ] {
        assert_eq!(pg(text).is_local(), local, "{text}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_batch_is_several_statements() {
    let verbs = |text| Statement::read_all(text, Pg::DIALECT).iter().map(|one| one.verb).collect::<Vec<_>>();
    assert_eq!(verbs("BEGIN; DELETE FROM a WHERE b = ';'; COMMIT;"), [Verb::Begin, Verb::Delete, Verb::Commit]);
}

#[cfg(feature = "mysql")]
#[test]
fn a_snapshot_is_no_local_matter() {
    let read = |text| Statement::read(text, Mysql::DIALECT);
    assert!(read("START TRANSACTION").is_local());
    assert!(!read("START TRANSACTION WITH CONSISTENT SNAPSHOT").is_local());
    let update = read("UPDATE `accounts` SET `balance` = ? WHERE (`accounts`.`id` = ?) -- binds: [70, 1]");
    assert_eq!((update.locked_tables(), update.keys()), (vec!["accounts".to_owned()], vec!["1".to_owned()]));
}

#[cfg(feature = "mysql")]
#[test]
fn texts_of_the_crate_are_read_as_those_of_mariadb() {
    let read = |text| Statement::read(text, Mysql::DIALECT);
    assert_eq!(read("/*M! BEGIN */ /*!80001 COMMIT AND CHAIN NO RELEASE */ -- binds: []").verb, Verb::Begin);
    assert!(read("/*M! BEGIN */ /*!80001 COMMIT AND CHAIN NO RELEASE */ -- binds: []").is_local());
    assert_eq!(read("/*M! SET STATEMENT a = @@a + 0 * (~0 + (@@b = 0)) FOR */ COMMIT").verb, Verb::Commit);
    let limited = read(
        "/*!80001 REFUSED */ /*M! SET STATEMENT max_statement_time = 1 */ /*M! FOR */ SELECT `id` FROM `a` WHERE `id` = ? \
         AND ~0 + ((@`b` <=> 'c') = 0) /*M! AND ~0 + (@@in_transaction = 0) */ ORDER BY `id` FOR UPDATE -- binds: [7]",
    );
    assert_eq!((limited.locked_tables(), limited.keys()), (vec!["a".to_owned()], vec!["7".to_owned()]));
    assert_eq!(read("SELECT `id` FROM `a` /*!80001 FOR SHARE */ /*M! LOCK IN SHARE MODE */").locked_tables(), ["a"]);
    assert_eq!(read("SET STATEMENT a = 1").verb, Verb::Other);
}
