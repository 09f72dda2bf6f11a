//! A timeout is of the whole call, but for a table that somebody alters: that wait is counted in whole seconds, and by itself.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Order},
        mysql::SESSIONS,
        patience::until,
        schema::accounts,
    },
};

const TIMEOUT: Duration = Duration::from_millis(1000);
/// The server says only now and then who waits for whom.
const LONG: Duration = Duration::from_millis(4000);
/// For messages, and for a machine that has other things to do; shorter than what was waited for before.
const TOLERANCE: Duration = Duration::from_millis(450);

#[test]
fn a_wait_for_the_table_adds_no_more_than_its_whole_seconds() {
    let calls: [(&str, fn(&mut Driver) -> LockError); 3] = [
        ("by key", |s| s.lock_set(LockSet::new().id::<Account>(1).timeout(TIMEOUT)).unwrap_err()),
        ("by query", |s| {
            let query = accounts::table.filter(accounts::id.lt(3));
            s.lock_set(LockSet::new().query::<Account>(query).timeout(TIMEOUT)).unwrap_err()
        }),
        ("one query", |s| {
            let query = accounts::table.filter(accounts::id.eq(1)).for_update_of(accounts::table).timeout(TIMEOUT);
            RunLockQuery::load::<Account>(query, s.conn()).unwrap_err()
        }),
    ];
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for (name, call) in calls {
        let (owner, holder) = (play.session(&format!("owner, {name}")), play.session(&format!("holder, {name}")));
        holder
            .run("locks the row", |s| s.begin().and_then(|()| s.execute("UPDATE accounts SET v = 7 WHERE id = 1")))
            .unwrap();
        // Behind an ALTER that waits for the holder everybody waits who has not got the table.
        let altering = owner.start("alters", |s| s.execute("ALTER TABLE accounts ADD COLUMN more int"));
        let waits = format!(
            "SELECT count(*) FROM {SESSIONS} WHERE id = {} AND state = 'Waiting for table metadata lock'",
            owner.pid()
        );
        until(|| (arena.number(&waits) == 1).then_some(())).expect("it waits for the holder");
        let patient = play.session(&format!("patient, {name}"));
        let waiting = patient.start(name, move |s| {
            s.begin().unwrap();
            let began = Instant::now();
            let error = call(s);
            let took = began.elapsed();
            s.rollback().unwrap();
            (error, took)
        });
        std::thread::sleep(Duration::from_millis(800));
        // Now it gets the table, and waits for the row.
        arena.execute(&format!("KILL QUERY {}", owner.pid()));
        altering.join().unwrap_err();
        let (error, took) = waiting.join();
        println!("{name}: {took:?}");
        assert!(matches!(error, LockError::TimedOut { .. }), "{name}: {error:?}");
        assert!((TIMEOUT..TIMEOUT + Duration::from_secs(1) + TOLERANCE).contains(&took), "{name}: {took:?}");
        holder.run("rolls back", |s| s.rollback()).unwrap();
    }
}

#[test]
fn several_waits_share_the_time() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holders: Vec<_> = [
        "UPDATE accounts SET v = 7 WHERE id = 1",
        "UPDATE accounts SET v = 7 WHERE id = 2",
        "UPDATE orders SET total = total + 1 WHERE id = 1",
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
        let set = LockSet::new().ids::<Account>([1, 2]).id::<Order>(1).timeout(LONG);
        let outcome = (s.lock_set(set).unwrap_err(), began.elapsed());
        s.rollback().unwrap();
        outcome
    });
    for holder in &holders[..2] {
        waiting.blocked_by(holder);
        std::thread::sleep(Duration::from_millis(250));
        holder.run("commits", |s| s.commit()).unwrap();
    }
    let (error, took) = waiting.join();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    assert!((LONG..LONG + TOLERANCE).contains(&took), "{took:?}");
}
