//! PostgreSQL's four strengths: who conflicts with whom, and with which statements.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Customer, Order},
        postgres::probe::{Strength, probe_at},
        probe::Held,
        schema::{accounts, customers, orders},
    },
};

type Set<'a> = LockSet<'a, diesel::pg::Pg>;

/// What is added after this is locked at `strength`.
pub(super) fn at(strength: Strength, set: Set<'_>) -> Set<'_> {
    match strength {
        Strength::KeyShare => set.for_key_share(),
        Strength::Share => set.for_share(),
        Strength::NoKeyUpdate => set.for_no_key_update(),
        Strength::Update => set.for_update(),
    }
}

/// Runs `$query` at `$strength` and `$more`, whose types differ.
macro_rules! single {
    ($strength:expr, $table:expr, $query:expr, $conn:expr $(, $more:ident)?) => {
        match $strength {
            Strength::KeyShare => $query.for_key_share_of($table)$(.$more())?.load($conn),
            Strength::Share => $query.for_share_of($table)$(.$more())?.load($conn),
            Strength::NoKeyUpdate => $query.for_no_key_update_of($table)$(.$more())?.load($conn),
            Strength::Update => $query.for_update_of($table)$(.$more())?.load($conn),
        }
    };
}

pub(super) use single;

/// Locks account 1 at `strength`; the caller has begun.
fn lock_1(session: &mut Blocking, strength: Strength) -> Result<(), LockError> {
    session.lock_set(at(strength, LockSet::new()).id::<Account>(1)).map(drop)
}

/// Account 1, if nobody has a lock that conflicts with `strength`.
fn skip_to_1(session: &mut Blocking, strength: Strength) -> Vec<Account> {
    let query = accounts::table.filter(accounts::id.eq(1));
    single!(strength, accounts::table, query, session.conn(), skip_locked).unwrap()
}

/// B01.
#[test]
fn two_tables_of_a_query_can_be_locked_at_two_strengths() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let rows: Vec<(Order, Customer)> = orders::table
        .inner_join(customers::table)
        .filter(orders::id.eq(1))
        .for_no_key_update_of(orders::table)
        .for_key_share_of(customers::table)
        .skip_locked()
        .load(session.conn())
        .unwrap();
    assert_eq!(rows.len(), 1);
    for strength in Strength::ALL {
        let held = |by: Strength| if by.conflicts_with(strength) { Held::Held } else { Held::Free };
        let conn = &mut arena.pg();
        assert_eq!(probe_at(conn, strength, "orders", "id = 1"), held(Strength::NoKeyUpdate), "{strength:?}");
        assert_eq!(probe_at(conn, strength, "customers", "id = 1"), held(Strength::KeyShare), "{strength:?}");
    }
}

/// A23.
#[test]
fn no_strength_is_to_be_had_in_a_read_only_transaction() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let mut reader = Blocking::connect(arena.url());
    reader.execute("SET default_transaction_read_only = on").unwrap();
    for strength in Strength::ALL {
        session.begin_as("READ ONLY").unwrap();
        let set = lock_1(&mut session, strength);
        assert!(matches!(set, Err(LockError::ReadOnly(_))), "{strength:?}: {set:?}");
        session.rollback().unwrap();

        session.begin_as("READ ONLY").unwrap();
        let query: Result<Vec<Account>, _> =
            single!(strength, accounts::table, accounts::table, session.conn(), skip_locked);
        assert!(matches!(query, Err(LockError::ReadOnly(_))), "{strength:?}: {query:?}");
        session.rollback().unwrap();

        // A session that only reads, as a connection to a replica is.
        let with_lock = reader.with_lock(&Account { id: 1, owner: String::new(), balance: 0, v: 0 }, |_, _| Ok(()));
        assert!(matches!(with_lock, Err(LockError::ReadOnly(_))), "{with_lock:?}");
    }
}

/// C01.
#[test]
fn who_waits_for_whom_is_the_table_of_the_manual() {
    let arena = Arena::new();
    for held in Strength::ALL {
        for asked in Strength::ALL {
            let play = Play::<Blocking>::new(&arena);
            let (holder, asker) = (play.session("holder"), play.session("asker"));
            holder
                .run(&format!("locks, {held:?}"), move |s| {
                    s.begin()?;
                    lock_1(s, held)
                })
                .unwrap();
            let conflict = held.conflicts_with(asked);
            let (skipped, tried) = asker.run("does not wait", move |s| {
                s.begin().unwrap();
                let tried = at(asked, LockSet::new()).id::<Account>(1).no_wait().lock(s.conn()).map(drop);
                s.rollback().unwrap();
                s.begin().unwrap();
                let skipped = skip_to_1(s, asked).is_empty();
                s.rollback().unwrap();
                (skipped, tried)
            });
            assert_eq!(skipped, conflict, "{held:?} against {asked:?}");
            assert_eq!(tried.is_err(), conflict, "{held:?} against {asked:?}: {tried:?}");
            assert!(matches!(tried, Ok(()) | Err(LockError::Contended { .. })), "{tried:?}");
            asker.run("begins", |s| s.begin()).unwrap();
            let asking = asker.start(&format!("locks, {asked:?}"), move |s| lock_1(s, asked));
            if conflict {
                asking.blocked_by(&holder);
                holder.run("commits", |s| s.commit()).unwrap();
            }
            asking.join().unwrap();
        }
    }
}

/// C02.
#[test]
fn a_lock_keeps_plain_statements_off_as_far_as_its_strength_goes() {
    let arena = Arena::new();
    let statements = [
        "UPDATE accounts SET balance = 0 WHERE id = 1",
        "UPDATE accounts SET id = 100 WHERE id = 1",
        "DELETE FROM accounts WHERE id = 1",
    ];
    for held in Strength::ALL {
        for statement in statements {
            let play = Play::<Blocking>::new(&arena);
            let (holder, writer) = (play.session("holder"), play.session("writer"));
            holder
                .run(&format!("locks, {held:?}"), move |s| {
                    s.begin()?;
                    lock_1(s, held)
                })
                .unwrap();
            writer.run("begins", |s| s.begin()).unwrap();
            let writing = writer.start(statement, move |s| s.execute(statement));
            let goes_through = held == Strength::KeyShare && statement == statements[0];
            assert_eq!(writing.still_blocked(), !goes_through, "{held:?}, {statement}");
            holder.run("rolls back", |s| s.rollback()).unwrap();
            assert_eq!(writing.join(), Ok(1));
            writer.run("rolls back", |s| s.rollback()).unwrap();
        }
    }
}

/// C07.
#[test]
fn an_upgrade_rolled_back_with_its_savepoint_leaves_the_weaker_lock() {
    let arena = Arena::new();
    let upgrades: [fn(&mut Blocking); 2] = [
        |s| lock_1(s, Strength::NoKeyUpdate).unwrap(),
        |s| assert_eq!(s.execute("DELETE FROM accounts WHERE id = 1"), Ok(1)),
    ];
    for upgrade in upgrades {
        let play = Play::<Blocking>::new(&arena);
        let (session, other) = (play.session("session"), play.session("other"));
        let gets = |strength| other.run("skips", move |s| skip_to_1(s, strength).len());
        session.run("locks, upgrades in a savepoint", move |s| {
            s.begin().unwrap();
            lock_1(s, Strength::KeyShare).unwrap();
            s.begin().unwrap();
            upgrade(s);
        });
        other.run("begins", |s| s.begin()).unwrap();
        assert_eq!(gets(Strength::NoKeyUpdate), 0);
        session.run("rolls the savepoint back", |s| s.rollback()).unwrap();
        assert_eq!(gets(Strength::NoKeyUpdate), 1);
        assert_eq!(gets(Strength::Update), 0);
        other.run("ends", |s| s.rollback()).unwrap();
        session.run("ends", |s| s.rollback()).unwrap();
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    }
}
