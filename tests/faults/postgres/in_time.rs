//! A timeout is of the whole call: what it waits for before a statement runs, and while it runs.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Order},
        schema::accounts,
    },
};

const TIMEOUT: Duration = Duration::from_millis(1000);
/// For messages, and for a machine that has other things to do; shorter than what was waited for before.
const TOLERANCE: Duration = Duration::from_millis(600);

type Call = fn(&mut Blocking) -> LockError;

/// The table is locked as a whole until the time is nearly up; then a row of it is still held.
#[test]
fn a_wait_for_the_table_and_one_for_the_row_share_the_time() {
    let calls: [(&str, Call, Duration); 5] = [
        ("by key", |s| s.lock_set(LockSet::new().id::<Account>(1).timeout(TIMEOUT)).unwrap_err(), TOLERANCE),
        (
            "by query",
            |s| {
                s.lock_set(LockSet::new().query::<Account>(accounts::table.filter(accounts::id.gt(0))).timeout(TIMEOUT))
                    .unwrap_err()
            },
            TOLERANCE,
        ),
        (
            "key and query",
            |s| {
                let limited = accounts::table.order(accounts::id).limit(2);
                s.lock_set(LockSet::new().id::<Account>(1).query::<Account>(limited).timeout(TIMEOUT)).unwrap_err()
            },
            TOLERANCE,
        ),
        (
            "one query",
            |s| {
                let query = accounts::table.filter(accounts::id.eq(1)).for_update_of(accounts::table).timeout(TIMEOUT);
                RunLockQuery::load::<Account>(query, s.conn()).unwrap_err()
            },
            TOLERANCE,
        ),
        (
            "naming holders",
            |s| s.lock_set(LockSet::new().id::<Account>(1).name_holders().timeout(TIMEOUT)).unwrap_err(),
            TOLERANCE.saturating_add(Duration::from_millis(150)),
        ),
    ];
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    for (name, call, tolerance) in calls {
        let owner = play.session(&format!("owner, {name}"));
        owner
            .run("locks row and table", |s| {
                s.begin()?;
                s.execute("UPDATE accounts SET v = 7 WHERE id = 1")?;
                s.begin()?;
                s.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
            })
            .unwrap();
        let patient = play.session(&format!("patient, {name}"));
        let began = Instant::now();
        let waiting = patient.start(name, move |s| {
            s.begin().unwrap();
            let began = Instant::now();
            (call(s), began.elapsed())
        });
        waiting.blocked_by(&owner);
        std::thread::sleep(Duration::from_millis(800).saturating_sub(began.elapsed()));
        owner.run("unlocks the table", |s| s.rollback()).unwrap();
        let (error, took) = waiting.join();
        assert!(matches!(error, LockError::TimedOut { .. }), "{name}: {error:?}");
        assert!((TIMEOUT..TIMEOUT + tolerance).contains(&took), "{name}: {took:?}");
        println!("{name}: {took:?}");
        owner.run("rolls back", |s| s.rollback()).unwrap();
    }
}

/// Two tables, two rows each, all of them held by others who let go one after the other.
#[test]
fn several_waits_share_the_time() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holders: Vec<_> = [
        "UPDATE accounts SET v = 7 WHERE id = 1",
        "UPDATE accounts SET v = 7 WHERE id = 2",
        "UPDATE orders SET id = id WHERE id = 1",
    ]
    .map(|statement| {
        let holder = play.session(statement);
        holder.run("updates", move |s| s.begin().and_then(|()| s.execute(statement))).unwrap();
        holder
    })
    .into();
    let patient = play.session("patient");
    let waiting = patient.start("locks", |s| {
        s.begin().unwrap();
        let began = Instant::now();
        let set = LockSet::new().ids::<Account>([1, 2]).id::<Order>(1).timeout(TIMEOUT);
        (s.lock_set(set).unwrap_err(), began.elapsed())
    });
    for holder in &holders[..2] {
        waiting.blocked_by(holder);
        std::thread::sleep(Duration::from_millis(350));
        holder.run("commits", |s| s.commit()).unwrap();
    }
    waiting.blocked_by(&holders[2]);
    let (error, took) = waiting.join();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    assert!((TIMEOUT..TIMEOUT + TOLERANCE).contains(&took), "{took:?}");
}
