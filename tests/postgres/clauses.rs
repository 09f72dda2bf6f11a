//! The clauses that PostgreSQL is sent, for sets and for single queries.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use super::strengths::{at, single};
use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
    postgres::probe::Strength,
    schema::accounts,
};

/// What was sent, without its values.
fn text(statements: Vec<String>) -> String {
    let [statement] = &statements[..] else { panic!("one statement: {statements:?}") };
    statement.split(" -- binds").next().unwrap().to_owned()
}

/// B01.
#[test]
fn each_strength_of_a_set_is_its_clause() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    for strength in Strength::ALL {
        let strong = || at(strength, LockSet::new());
        let sets = [
            strong().id::<Account>(1),
            strong().query::<Account>(accounts::table.filter(accounts::balance.gt(9)).order(accounts::owner)),
            strong().query::<Account>(accounts::table.order(accounts::owner.desc()).limit(2).into_boxed()),
            strong().id::<Account>(1).query::<Account>(accounts::table.filter(accounts::balance.gt(9))),
        ];
        for set in sets {
            assert!(!session.lock_set(set).unwrap().rows::<Account>().is_empty());
            let statement = text(sent.take());
            let end = format!(" ORDER BY \"accounts\".\"id\" {} OF \"accounts\"", strength.clause());
            // That of a limited query stands in a join with a row that says whether anything was chosen.
            let own = statement.strip_suffix(") AS \"locked\" ON true").unwrap_or(&statement);
            assert!(own.ends_with(&end), "{statement}");
        }
    }
    assert_eq!(session.lock_set(LockSet::new().id::<Account>(1)).unwrap().rows::<Account>().len(), 1);
    assert!(text(sent.take()).ends_with(" FOR UPDATE OF \"accounts\""), "the default");
}

/// B01, B08.
#[test]
fn each_strength_of_a_single_query_is_its_clause_at_the_end() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let last_two = accounts::table.order(accounts::id.desc()).limit(2);
    for strength in Strength::ALL {
        let conn = session.conn();
        let loaded: [Result<Vec<Account>, LockError>; 4] = [
            single!(strength, accounts::table, last_two, conn),
            single!(strength, accounts::table, last_two, conn, skip_locked),
            single!(strength, accounts::table, last_two.into_boxed(), conn),
            single!(strength, accounts::table, last_two.into_boxed(), conn, skip_locked),
        ];
        for loaded in loaded {
            assert_eq!(loaded.unwrap().iter().map(|account| account.id).collect::<Vec<_>>(), [5, 4]);
        }
        let clause = strength.clause();
        for (statement, skips) in sent.take().into_iter().zip([false, true, false, true]) {
            let end = if skips { " SKIP LOCKED" } else { "" };
            let end = format!(" ORDER BY \"accounts\".\"id\" DESC LIMIT $1 {clause} OF \"accounts\"{end}");
            assert!(text(vec![statement.clone()]).ends_with(&end), "{statement}");
        }
    }
}

/// B11.
#[test]
fn a_plain_load_of_a_model_locks_nothing() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let all: Vec<Account> = accounts::table.select(Account::as_select()).load(session.conn()).unwrap();
    assert_eq!(all.len(), 5);
    assert!(!text(sent.take()).contains("FOR "));
    assert!(arena.held_keys("accounts", "id").is_empty());
}

/// A06.
#[test]
fn a_single_query_outside_a_transaction_is_refused_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    for strength in Strength::ALL {
        let conn = session.conn();
        let refused: [Result<Vec<Account>, LockError>; 2] = [
            single!(strength, accounts::table, accounts::table, conn),
            single!(strength, accounts::table, accounts::table.into_boxed(), conn, skip_locked),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
        }
    }
    let refused: Result<Account, _> = accounts::table.for_update_of(accounts::table).get_result(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert_eq!(sent.take(), Vec::<String>::new());
}
