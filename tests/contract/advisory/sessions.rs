//! One lock, several sessions.

use diesel_lockset::{AdvisoryLock, LockError};

use super::{Arena, Driver, account, free, nothing, verbs::RunAdvisoryLock};
use crate::{
    isolation::{Play, crowd},
    support::{
        driver::Session,
        models::{Account, Job},
        patience::DEADLINE,
        server::Server,
    },
};

/// K01.
#[test]
fn one_session_at_a_time_and_the_others_are_told_at_once() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let told = two.run("tries", |s| {
        let mut ran = false;
        let held = account(1).try_hold(s.conn(), |_| {
            ran = true;
            Ok::<_, LockError>(())
        });
        (held.unwrap(), ran)
    });
    assert_eq!(told, (None, false));
}

/// K03.
#[test]
fn the_name_is_of_the_type_the_key_and_the_scope() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let guard = account(1).acquire(one.conn()).unwrap();
    assert!(free(&mut two, account(2)));
    assert!(free(&mut two, AdvisoryLock::id::<Job>(1_i64)));
    assert!(free(&mut two, account(1).scope("send")));
    assert!(free(&mut two, AdvisoryLock::named("Account|1")));
    assert!(!free(&mut two, account(1)));
    drop(guard);
    assert!(free(&mut two, account(1)));
}

/// K03.
#[test]
fn an_instance_and_its_key_are_one_lock() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let ada = Account { id: 1, owner: "stale".to_owned(), balance: 0, v: 0 };
    let _guard = AdvisoryLock::on(&ada).acquire(one.conn()).unwrap();
    assert!(!free(&mut two, account(1)));
    assert_eq!(AdvisoryLock::on(&ada).name(), account(1).name());
}

/// K06.
#[test]
fn who_blocks_gets_the_lock_after_the_release_and_not_before() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let waiting = two.start("holds", |s| account(1).hold_session(s.conn(), nothing).unwrap());
    waiting.blocked_by(&one);
    one.kill();
    waiting.join();
}

/// K09.
#[test]
fn the_same_session_takes_it_again_and_keeps_it_until_it_has_released_it_as_often() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let mut outer = account(1).acquire(one.conn()).unwrap();
    let inner = account(1).try_acquire(&mut *outer).unwrap().expect("it is ours");
    assert!(inner.release());
    assert!(!free(&mut two, account(1)));
    let inside = account(1).hold(&mut *outer, |conn| account(1).hold(conn, |_| Ok::<_, LockError>(7)));
    assert_eq!(inside.unwrap(), 7);
    assert!(!free(&mut two, account(1)));
    assert!(outer.release());
    assert!(free(&mut two, account(1)));
}

/// K10.
#[test]
fn different_locks_of_one_session_are_released_by_themselves() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let mut first = account(1).acquire(one.conn()).unwrap();
    let second = account(2).acquire(&mut *first).unwrap();
    assert!(!free(&mut two, account(2)));
    drop(second);
    assert!(free(&mut two, account(2)));
    assert!(!free(&mut two, account(1)));
}

/// K11.
#[test]
fn rows_are_locked_beside_it() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks the name", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let changed = two.run("locks and changes the row", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(1).unwrap();
        let changed = s.execute("UPDATE accounts SET v = 1 WHERE id = 1").unwrap();
        s.commit().unwrap();
        changed
    });
    assert_eq!(changed, 1);
}

/// K12.
#[test]
fn to_ask_whether_it_is_held_does_not_take_it() {
    let arena = Arena::new();
    let asked = crowd::<Driver, _>(&arena, 20, DEADLINE, |_, s| {
        (0..5).filter(|_| account(1).is_held(s.conn()).unwrap()).count()
    });
    assert_eq!(asked.iter().sum::<usize>(), 0);
}

/// K13.
#[test]
fn whether_it_is_held_is_seen_by_all_and_by_oneself() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let pid = one.pid();
    let mut guard = account(1).acquire(one.conn()).unwrap();
    assert!(account(1).is_held(&mut *guard).unwrap());
    assert!(account(1).is_held(two.conn()).unwrap());
    assert!(!account(2).is_held(two.conn()).unwrap());
    let holders = account(1).holders(two.conn()).unwrap();
    assert_eq!(holders.iter().map(diesel_lockset::error::Holder::session).collect::<Vec<_>>(), [pid]);
    drop(guard);
    assert!(!account(1).is_held(one.conn()).unwrap());
    assert!(!account(1).is_held(two.conn()).unwrap());
    assert!(account(1).holders(two.conn()).unwrap().is_empty());
}

/// K20.
#[test]
fn create_if_missing_under_the_lock_makes_one_row() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE notes (name text NOT NULL)");
    crowd::<Driver, _>(&arena, 10, DEADLINE, |_, s| {
        for n in 0..10 {
            let name = format!("note {n}");
            let made = AdvisoryLock::named(&name).hold(s.conn(), |conn| {
                let there = format!("SELECT count(*) FROM notes WHERE name = '{name}'");
                match <Driver as Session>::Server::number(conn, &there)? {
                    0 => Ok::<_, LockError>(Driver::execute_on(conn, &format!("INSERT INTO notes VALUES ('{name}')"))?),
                    _ => Ok(0),
                }
            });
            made.unwrap();
        }
    });
    assert_eq!(arena.number("SELECT count(*) FROM notes"), 10);
    assert_eq!(arena.number("SELECT count(DISTINCT name) FROM notes"), 10);
}

/// K21.
#[test]
fn two_databases_of_one_server_have_locks_of_their_own() {
    let (arena, other) = (Arena::new(), Arena::new());
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(other.url()));
    let _guard = account(1).acquire(one.conn()).unwrap();
    assert!(free(&mut two, account(1)));
    assert!(!account(1).is_held(two.conn()).unwrap());
}

/// As for the holders of a row.
#[test]
fn holders_are_told_while_a_statement_has_characters_of_four_bytes() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let [holder, astronaut, curious] = ["holder", "astronaut", "curious"].map(|name| play.session(name));
    holder.run("locks an account and its lock", |s| {
        s.begin().unwrap();
        s.execute("UPDATE accounts SET v = v + 1 WHERE id = 1").unwrap();
        std::mem::forget(account(1).acquire(s.conn()).unwrap());
    });
    let waiting = astronaut
        .start("waits", |s| s.execute("UPDATE accounts SET owner = '\u{1f469}\u{200d}\u{1f680}' WHERE id = 1"));
    waiting.blocked_by(&holder);
    let told = curious.run("asks who holds the lock", |s| account(1).holders(s.conn()).unwrap());
    assert_eq!(told.iter().map(|holder| holder.session()).collect::<Vec<_>>(), [holder.pid()]);
    assert!(told[0].transaction_age().is_some(), "{told:?}");
    holder.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), Ok(1));
}
