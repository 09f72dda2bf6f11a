//! What patience costs: no statement on the plain path, and elsewhere what the documentation says.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Set, holder};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Order},
        schema::accounts,
    },
};

const LONG: Duration = Duration::from_secs(100);

/// In the look at rows that did not come back: it asks what row-level security says of them.
const ABSENT: &str = "lockset: passed";

/// The kind of each statement: what it does to which table, or to the transaction.
fn kinds(statements: Vec<String>) -> Vec<String> {
    let kind = |statement: &String| {
        let text = statement.split(" -- binds").next().unwrap();
        assert!(!text.contains("NOWAIT"), "{text}");
        for word in ["SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"] {
            if text.starts_with(word) {
                return word.to_owned();
            }
        }
        let restores = text.contains("OFFSET CASE WHEN pg_catalog.set_config");
        let settings = [
            ("pg_stat_activity", "holders"),
            ("SET LOCAL lock_timeout", "limits of the question"),
            ("set_config", "limit"),
        ];
        for (part, kind) in settings.into_iter().filter(|_| !restores) {
            if text.contains(part) && !text.contains(ABSENT) {
                return kind.to_owned();
            }
        }
        let table = if text.contains("\"orders\"") { "orders" } else { "accounts" };
        let verb = match (text.contains(" FOR UPDATE"), text.contains(" SKIP LOCKED")) {
            (true, true) => "skip",
            (true, false) => "lock",
            (false, _) => "look at",
        };
        format!("{verb} {table}{}", if restores { ", restore" } else { "" })
    };
    statements.iter().map(kind).collect()
}

fn keys(set: Set) -> Set {
    set.id::<Order>(1).ids::<Account>([2, 3])
}

fn query(set: Set) -> Set {
    set.query::<Account>(accounts::table.filter(accounts::id.gt(1)))
}

/// What `call` sends.
fn sent<T>(s: &mut Blocking, call: impl FnOnce(&mut Blocking) -> T) -> (T, Vec<String>) {
    s.begin().unwrap();
    let heard = s.overhear();
    let result = call(s);
    let statements = kinds(heard.take());
    s.rollback().unwrap();
    (result, statements)
}

/// D02, E01, G02.
#[test]
fn on_success_each_kind_of_patience_costs_what_it_says() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let s = &mut session;
    let of = |s: &mut Blocking, wants: fn(Set) -> Set| -> [Vec<String>; 7] {
        let set = || wants(LockSet::new());
        [
            sent(s, |s| s.lock_set(set()).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().no_wait()).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().skip_locked()).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().timeout(Duration::ZERO)).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().timeout(LONG)).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().name_holders()).map(drop).unwrap()).1,
            sent(s, |s| s.lock_set(set().name_holders().no_wait()).map(drop).unwrap()).1,
        ]
    };
    let skip = vec!["skip accounts", "skip orders"];
    let expected: [Vec<&str>; 7] = [
        vec!["lock accounts", "lock orders"],
        skip.clone(),
        skip.clone(),
        skip.clone(),
        vec!["limit", "lock accounts, restore", "limit", "lock orders, restore"],
        vec!["SAVEPOINT", "lock accounts", "lock orders", "RELEASE SAVEPOINT"],
        skip,
    ];
    assert_eq!(of(s, keys), expected);
    let expected: [Vec<&str>; 7] = [
        vec!["lock accounts"],
        vec!["skip accounts"],
        vec!["skip accounts"],
        vec!["skip accounts"],
        vec!["limit", "lock accounts, restore"],
        vec!["SAVEPOINT", "lock accounts", "RELEASE SAVEPOINT"],
        vec!["skip accounts"],
    ];
    assert_eq!(of(s, query), expected);
    let nothing: [Vec<&str>; 7] = Default::default();
    assert_eq!(of(s, |set| set), nothing);
}

/// D01, E01, G01.
#[test]
fn when_a_row_is_held_one_look_more_is_sent_and_one_question_if_asked() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(3));
    let mut session = Blocking::connect(arena.url());
    let s = &mut session;
    let set = || keys(LockSet::new());
    let (_, skipped) = sent(s, |s| s.lock_set(set().skip_locked()).unwrap());
    assert_eq!(skipped, ["skip accounts", "look at accounts", "skip orders"]);
    // A second try by key follows the look: the row may have come free. Then, whether it is held or can never be locked.
    let (_, contended) = sent(s, |s| s.lock_set(set().no_wait()).unwrap_err());
    assert_eq!(contended, ["skip accounts", "look at accounts", "skip accounts", "look at accounts"]);
    let (_, named) = sent(s, |s| s.lock_set(set().no_wait().name_holders()).unwrap_err());
    // The question cannot abort the transaction, nor outlast the call, nor wait for a catalog that is locked.
    let question = ["SAVEPOINT", "limits of the question", "holders", "ROLLBACK TO SAVEPOINT"];
    assert_eq!(named, contended.into_iter().chain(question.map(str::to_owned)).collect::<Vec<_>>());
    let short = Duration::from_millis(20);
    let (_, timed_out) = sent(s, |s| s.lock_set(set().timeout(short)).unwrap_err());
    assert_eq!(timed_out, ["limit", "lock accounts, restore"]);
    let (_, named) = sent(s, |s| s.lock_set(set().timeout(short).name_holders()).unwrap_err());
    assert_eq!(
        named,
        [&["SAVEPOINT", "limit", "lock accounts, restore", "ROLLBACK TO SAVEPOINT"], &question[..]].concat()
    );
}
