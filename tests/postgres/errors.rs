//! PostgreSQL's errors: told by what happened, whatever text somebody raises, also inside a savepoint.

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{LockError, LockQueryDsl, RunLockQuery};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        schema::accounts,
    },
};

/// P07.
#[test]
fn a_raised_text_or_a_constraints_name_does_not_make_the_class() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    arena.execute("ALTER TABLE accounts ADD CONSTRAINT \"deadlock detected\" CHECK (balance >= 0)");
    let texts = [
        "deadlock detected",
        "deadlock detected by the scheduler",
        "canceling statement due to lock timeout",
        "could not obtain lock on row in relation \"accounts\"",
        "could not serialize access due to concurrent update",
        "cannot execute SELECT FOR UPDATE in a read-only transaction",
    ];
    let additions = [
        "",
        " USING CONSTRAINT = 'a'",
        " USING DETAIL = 'Two carts want the last lamp.'",
        " USING DETAIL = 'Two carts want the last lamp.', HINT = 'Restock.'",
        " USING DETAIL = 'Process 7 of the assembly line waits.', TABLE = 'accounts'",
    ];
    let raise = |text| additions.map(|with| format!("DO $$ BEGIN RAISE EXCEPTION '{text}'{with}; END $$"));
    let mut statements: Vec<String> = texts.into_iter().flat_map(raise).collect();
    statements.push("UPDATE accounts SET balance = -1 WHERE id = 1".to_owned());
    let wrong: Vec<String> = statements
        .into_iter()
        .filter_map(|statement| match LockError::from(session.execute(&statement).unwrap_err()) {
            LockError::Query(_) => None,
            error => Some(format!("{statement}: {error:?}")),
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// P06.
#[test]
fn the_name_of_a_violated_constraint_is_kept() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let twice = session.execute("INSERT INTO accounts (id, owner, balance) VALUES (1, 'twice', 0)");
    let error = LockError::from(twice.unwrap_err());
    let LockError::Query(DieselError::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
    assert_eq!(info.constraint_name(), Some("accounts_pkey"));
    assert_eq!(info.details(), Some("Key (id)=(1) already exists."));
}

/// O10, P01.
#[test]
fn a_deadlock_inside_a_savepoint_costs_the_savepoint_only() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    for (session, id) in [(&first, 1), (&second, 2)] {
        session.run("begins, changes 3 or 4, locks its own in a savepoint", move |s| {
            s.begin().unwrap();
            s.execute(&format!("UPDATE accounts SET v = 1 WHERE id = {}", id + 2)).unwrap();
            s.begin().unwrap();
            s.lock_by_id::<Account>(id).unwrap();
        });
    }
    let crosses = |id| {
        move |s: &mut Blocking| {
            let query = accounts::table.filter(accounts::id.eq(id)).for_no_key_update_of(accounts::table);
            let locked = RunLockQuery::load::<Account>(query, s.conn()).map(drop);
            // Its own savepoint goes, and with it the lock that the other one waits for.
            s.rollback().unwrap();
            assert_eq!(s.number("SELECT count(*) FROM accounts"), Ok(5));
            s.commit().unwrap();
            locked
        }
    };
    let one = first.start("locks 2", crosses(2));
    one.blocked_by(&second);
    let other = second.start("locks 1", crosses(1));
    let (one, other) = (one.join(), other.join());
    assert!(one.is_ok() != other.is_ok(), "{one:?}, {other:?}");
    let error = one.and(other).unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
}

/// P07.
#[test]
fn a_raised_text_of_a_cancelled_statement_does_not_make_the_class() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for text in ["canceling statement due to user request", "canceling statement due to statement timeout"] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION '{text}'; END $$");
        let error = LockError::from(session.execute(&raise).unwrap_err());
        assert!(matches!(error, LockError::Query(_)), "{raise}: {error:?}");
    }
}
