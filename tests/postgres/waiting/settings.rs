//! `timeout` is a setting of the server while it lasts, and leaves none behind.

use std::time::Duration;

use diesel::{prelude::*, sql_types::Text};
use diesel_lockset::{LockError, LockQueryDsl, LockSet, Lockable as _, RunLockQuery, RunLockSet};

use super::{holder, stale};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Order},
        schema::accounts,
    },
};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(100);

/// Both settings, as the server shows them.
fn settings(s: &mut Blocking) -> [String; 2] {
    ["lock_timeout", "statement_timeout"].map(|setting| {
        diesel::dsl::sql::<Text>(&format!("SELECT current_setting('{setting}')")).get_result(s.conn()).unwrap()
    })
}

fn single(id: i32, time: Duration, s: &mut Blocking) -> Result<Vec<Account>, LockError> {
    accounts::table.filter(accounts::id.eq(id)).for_update_of(accounts::table).timeout(time).load(s.conn())
}

fn timed_out<T: std::fmt::Debug>(result: Result<T, LockError>) {
    assert!(matches!(result, Err(LockError::TimedOut { .. })), "{result:?}");
}

/// A call inside of the transaction `s`; account 1 is held.
type Call = fn(&mut Blocking);

/// Inside of a transaction that goes on afterwards.
const CALLS: [(&str, Call); 11] = [
    ("a row", |s| drop(s.timeout(&Account { id: 2, ..stale() }, LONG).unwrap())),
    ("a set of two tables", |s| {
        s.lock_set(LockSet::new().id::<Order>(1).ids::<Account>([2, 3]).timeout(LONG)).unwrap();
    }),
    ("a single query", |s| assert_eq!(single(2, LONG, s).unwrap().len(), 1)),
    ("a missing row", |s| drop(s.timeout(&Account { id: 99, ..stale() }, LONG).unwrap_err())),
    ("a row that cannot be read", |s| {
        let error = s.timeout(&Account { id: 4, ..stale() }, LONG).unwrap_err();
        assert!(!error.transaction_is_lost(), "{error:?}");
    }),
    ("no time at all", |s| drop(s.timeout(&stale(), Duration::ZERO).unwrap_err())),
    ("holders, on success", |s| {
        s.lock_set(LockSet::new().id::<Account>(2).timeout(LONG).name_holders()).unwrap();
    }),
    ("holders, on error", |s| timed_out(stale().timeout(SHORT).name_holders().lock(s.conn()))),
    ("a savepoint that is released", |s| {
        s.begin().unwrap();
        s.lock_set(LockSet::new().id::<Account>(2).timeout(LONG)).unwrap();
        s.commit().unwrap();
    }),
    ("a savepoint that is rolled back", |s| {
        s.begin().unwrap();
        s.lock_set(LockSet::new().id::<Account>(2).timeout(LONG)).unwrap();
        s.rollback().unwrap();
    }),
    ("errors in savepoints", |s| {
        let calls: [Call; 3] = [
            |s| timed_out(s.timeout(&stale(), SHORT)),
            |s| timed_out(s.lock_set(LockSet::new().id::<Order>(1).ids::<Account>([2, 1]).timeout(SHORT))),
            |s| timed_out(single(1, SHORT, s)),
        ];
        for call in calls {
            s.begin().unwrap();
            call(s);
            s.rollback().unwrap();
        }
    }),
];

/// Runs `call` with settings made by `set`, which works in the session or in the transaction.
fn unchanged(s: &mut Blocking, local: bool, value: &str, (name, call): (&str, Call)) {
    let set = |s: &mut Blocking, scope: &str, value: &str| {
        for setting in ["lock_timeout", "statement_timeout"] {
            s.execute(&format!("SET {scope} {setting} = '{value}'")).unwrap();
        }
    };
    set(s, "SESSION", if local { "33s" } else { value });
    let outside = settings(s);
    for commit in [true, false] {
        s.begin().unwrap();
        if local {
            set(s, "LOCAL", value);
        }
        let inside = settings(s);
        assert_eq!(inside == outside, !local);
        call(s);
        assert_eq!(settings(s), inside, "inside, after {name}, '{value}', local: {local}");
        if commit {
            s.commit().unwrap();
        } else {
            s.rollback().unwrap();
        }
        assert_eq!(settings(s), outside, "outside, after {name}, '{value}', local: {local}, committed: {commit}");
    }
}

/// G02, G04.
#[test]
fn the_settings_of_the_server_are_as_before_after_every_call() {
    let arena = Arena::new();
    arena.execute("ALTER TABLE accounts ALTER owner DROP NOT NULL; UPDATE accounts SET owner = NULL WHERE id = 4");
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let mut session = Blocking::connect(arena.url());
    for value in ["0", "5s", "90s", "1min", "2h", "1d", "12345ms", "2147483647"] {
        for local in [false, true] {
            for call in CALLS {
                unchanged(&mut session, local, value, call);
            }
        }
    }
}

/// G02, G04.
#[test]
fn two_settings_of_different_length_are_told_apart() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.execute("SET lock_timeout = '7s'").unwrap();
    session.execute("SET statement_timeout = '90s'").unwrap();
    session.begin().unwrap();
    session.execute("SET LOCAL statement_timeout = '45s'").unwrap();
    session.timeout(&stale(), LONG).unwrap();
    assert_eq!(settings(&mut session), ["7s", "45s"]);
    session.commit().unwrap();
    assert_eq!(settings(&mut session), ["7s", "90s"]);
}

/// G04.
#[test]
fn a_rollback_of_the_transaction_that_timed_out_leaves_the_settings_as_they_were() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let mut session = Blocking::connect(arena.url());
    for value in ["0", "90s", "1d"] {
        for local in [false, true] {
            let scope = if local { "LOCAL" } else { "SESSION" };
            let before = settings(&mut session);
            session.begin().unwrap();
            session.execute(&format!("SET {scope} statement_timeout = '{value}'")).unwrap();
            timed_out(session.timeout(&stale(), SHORT));
            session.rollback().unwrap();
            // What was set inside of the transaction goes with it, whatever its scope.
            assert_eq!(settings(&mut session), before, "{scope} '{value}'");
        }
    }
}

/// G02.
#[test]
fn the_time_counts_for_the_call_and_not_for_what_comes_after_it() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let patient = super::beginner(&play, "patient");
    let waiting = patient.start("locks 2 in no time, then 1 in any time", |s| {
        s.lock_set(LockSet::new().id::<Account>(2).timeout(Duration::from_millis(200))).unwrap();
        s.number("SELECT 1 FROM pg_sleep(0.3)").unwrap();
        s.lock(&stale())
    });
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    waiting.join().unwrap();
}
