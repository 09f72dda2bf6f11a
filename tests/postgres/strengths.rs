//! PostgreSQL's four strengths: the clauses, who conflicts with whom, and with which statements.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Customer, Order},
        probe::{Held, Strength, probe_at},
        schema::{accounts, customers, orders},
    },
};

type Set<'a> = LockSet<'a, diesel::pg::Pg>;

/// What is added after this is locked at `strength`.
fn at(strength: Strength, set: Set<'_>) -> Set<'_> {
    match strength {
        Strength::KeyShare => set.for_key_share(),
        Strength::Share => set.for_share(),
        Strength::NoKeyUpdate => set.for_no_key_update(),
        Strength::Update => set.for_update(),
    }
}

/// Locks account 1 at `strength`; the caller has begun.
fn lock_1(session: &mut Blocking, strength: Strength) -> Result<(), LockError> {
    session.lock_set(at(strength, LockSet::new()).id::<Account>(1)).map(drop)
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

/// Account 1, if nobody has a lock that conflicts with `strength`.
fn skip_to_1(session: &mut Blocking, strength: Strength) -> Vec<Account> {
    let query = accounts::table.filter(accounts::id.eq(1));
    single!(strength, accounts::table, query, session.conn(), skip_locked).unwrap()
}

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
            assert!(statement.ends_with(&end), "{statement}");
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
            asker.run("begins", |s| s.begin()).unwrap();
            let conflict = held.conflicts_with(asked);
            let skipped = asker.run("skips", move |s| skip_to_1(s, asked).is_empty());
            assert_eq!(skipped, conflict, "{held:?} against {asked:?}");
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
    let (mut session, mut other) = (Blocking::connect(arena.url()), Blocking::connect(arena.url()));
    let upgrades: [fn(&mut Blocking); 2] = [
        |s| lock_1(s, Strength::NoKeyUpdate).unwrap(),
        |s| assert_eq!(s.execute("DELETE FROM accounts WHERE id = 1"), Ok(1)),
    ];
    for upgrade in upgrades {
        session.begin().unwrap();
        lock_1(&mut session, Strength::KeyShare).unwrap();
        session.begin().unwrap();
        upgrade(&mut session);
        other.begin().unwrap();
        assert!(skip_to_1(&mut other, Strength::NoKeyUpdate).is_empty());
        session.rollback().unwrap();
        assert_eq!(skip_to_1(&mut other, Strength::NoKeyUpdate).len(), 1);
        assert!(skip_to_1(&mut other, Strength::Update).is_empty());
        other.rollback().unwrap();
        session.rollback().unwrap();
    }
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}
