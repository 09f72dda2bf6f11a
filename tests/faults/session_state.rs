//! A call that panics in the middle of any of its statements leaves nothing behind on a connection that a pool hands out again: no
//! transaction, no setting, no lock.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use diesel::{
    connection::InstrumentationEvent,
    prelude::*,
    r2d2::{ConnectionManager, Pool, PooledConnection},
};
use diesel_lockset::{
    AdvisoryLock, Isolation, LockDsl, LockError, LockQueryDsl, LockSet, LockTransaction, PickDsl, RunAdvisoryLock,
    RunLockQuery, RunLockSet, RunLockTransaction,
};

use super::{Arena, Driver, SESSION_STATE};
use crate::support::{
    driver::Session,
    models::{Account, Job, Order},
    schema::{accounts, jobs},
    server::Server,
};

type Inner = <Driver as Session>::Conn;
type Conn = PooledConnection<ConnectionManager<Inner>>;
type Verb = fn(&mut Conn) -> Result<(), LockError>;

const LONG: Duration = Duration::from_secs(60);

fn lock() -> AdvisoryLock {
    AdvisoryLock::named("state")
}

fn nothing(_: &mut Conn) -> Result<(), LockError> {
    Ok(())
}

const VERBS: &[(&str, Verb)] = &[
    ("set in time", |conn| {
        conn.transaction(|conn| {
            LockSet::new().id::<Order>(1).ids::<Account>([2, 1]).name_holders().timeout(LONG).lock(conn).map(drop)
        })
    }),
    ("query in time", |conn| {
        conn.transaction(|conn| {
            let query = accounts::table.find(1).for_update_of(accounts::table).timeout(LONG);
            RunLockQuery::load::<Account>(query, conn).map(drop)
        })
    }),
    ("with_lock", |conn| {
        let account = accounts::table.find(1).first::<Account>(conn)?;
        account.with_lock(conn, |_, conn| {
            diesel::update(accounts::table.find(1)).set(accounts::v.eq(accounts::v)).execute(conn)?;
            Ok(())
        })
    }),
    ("LockTransaction", |conn| {
        LockTransaction::new().retries(0).isolation(Isolation::ReadCommitted).run(conn, |conn| {
            let locked = LockSet::new().id::<Account>(1).timeout(LONG).lock(conn)?;
            conn.transaction(|conn| LockSet::new().id::<Account>(2).name_holders().lock(conn)).map(|_| drop(locked))
        })
    }),
    ("hold", |conn| lock().hold(conn, nothing)),
    ("hold in time", |conn| lock().timeout(LONG).hold(conn, nothing)),
    ("try_hold", |conn| lock().try_hold(conn, nothing).map(drop)),
    ("hold_session", |conn| lock().timeout(LONG).hold_session(conn, nothing)),
    ("hold in a transaction", |conn| {
        LockTransaction::new().retries(0).run(conn, |conn| lock().timeout(LONG).hold(conn, nothing))
    }),
    ("guard", |conn| lock().timeout(LONG).acquire(conn).map(drop)),
    ("guard that tries", |conn| lock().try_acquire(conn).map(drop)),
    ("guard in a transaction", |conn| {
        LockTransaction::new().retries(0).run(conn, |conn| lock().timeout(LONG).acquire(conn).map(drop))
    }),
    ("pick", |conn| conn.transaction(|conn| jobs::table.order(jobs::id).pick_next::<Job>(conn).map(drop))),
    ("claim", |conn| {
        let next = jobs::table.order(jobs::id);
        next.claim::<Job, _>(1, jobs::attempts.eq(jobs::attempts + 1), conn).map(drop)
    }),
];

/// Panics at the event of this number, and at no other.
fn panic_at(conn: &mut Conn, number: usize) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. } | InstrumentationEvent::FinishQuery { .. })
            && counter.fetch_add(1, SeqCst) == number
        {
            resume_unwind(Box::new("in the middle of a statement"));
        }
    });
    seen
}

#[test]
fn a_panic_in_the_middle_of_any_statement_leaves_nothing_that_a_pool_hands_out() {
    let arena = Arena::new();
    let pool = Pool::builder().max_size(1).build(ConnectionManager::<Inner>::new(arena.url())).unwrap();
    let state = |conn: &mut Conn| {
        let numbers = SESSION_STATE.map(|query| <Driver as Session>::Server::number(conn, query).unwrap());
        SESSION_STATE.into_iter().zip(numbers).collect::<Vec<_>>()
    };
    let whole = state(&mut pool.get().unwrap());
    for (verb, call) in VERBS {
        let mut panics = 0;
        loop {
            let mut conn = pool.get().unwrap();
            let seen = panic_at(&mut conn, panics);
            let outcome = catch_unwind(AssertUnwindSafe(|| call(&mut conn)));
            // The pool looks at the connection, too.
            conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
            drop(conn);
            let what = format!("{verb}, event {panics}");
            let mut next = pool.get().unwrap();
            assert_eq!(state(&mut next), whole, "{what}");
            // Neither do sessions that the pool has thrown away keep anything for longer than they take to end.
            let account = next.transaction(|conn| LockSet::new().id::<Account>(1).timeout(LONG).lock(conn).map(drop));
            account.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            lock().timeout(LONG).hold(&mut next, nothing).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            if seen.load(SeqCst) <= panics {
                outcome
                    .unwrap_or_else(|_| panic!("{what}: no panic"))
                    .unwrap_or_else(|error| panic!("{what}: {error:?}"));
                break;
            }
            panics += 1;
        }
        assert!(panics >= 2, "{verb}: {panics}");
        println!("{verb}: {panics} panics");
    }
}
