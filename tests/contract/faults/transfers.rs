//! Transfers between accounts while sessions are cancelled and terminated at random: money is conserved.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use diesel::{dsl::sql, prelude::*, result::Error as DieselError, sql_query, sql_types::Integer};
use diesel_lockset::{LockError, LockSet, LockTransaction};

use super::{
    Arena, Driver, Over,
    verbs::{RunLockSet, RunLockTransaction},
};
use crate::{
    isolation::crowd,
    support::{
        driver::Session,
        models::Account,
        patience::until,
        schema::accounts,
        server::{Observer, Server, numbers},
    },
};

type Family = <Driver as Session>::Server;

const ACCOUNTS: i32 = 20;
const FAULTS: usize = 200;
const THREADS: usize = 4;

/// Moves 1, with a set that always asks for the two accounts in the order given.
fn transfer(conn: &mut <Driver as Session>::Conn, number: usize) -> Result<(), LockError> {
    let from = fastrand::i32(1..=ACCOUNTS);
    let to = (from + fastrand::i32(0..ACCOUNTS - 1)) % ACCOUNTS + 1;
    let set = || LockSet::new().ids::<Account>([from, to]);
    LockTransaction::new().run(conn, |conn| {
        let locked = match number % 3 {
            0 => set().lock(conn)?,
            1 => set().timeout(Duration::from_secs(60)).lock(conn)?,
            _ => set().name_holders().lock(conn)?,
        };
        // Something to do while the locks are held, so that others wait.
        sql_query(format!("SELECT count(*) FROM {}", numbers(1, 2_000))).execute(conn)?;
        for (id, change) in [(from, -1), (to, 1)] {
            let account = locked.id::<Account>(id)?;
            let changed = diesel::update(accounts::table.find(id))
                .set((accounts::balance.eq(account.balance + change), accounts::v.eq(account.v + 1)))
                .execute(conn)?;
            // What MariaDB 11.8 says of some that were cancelled: no error, and no row.
            if changed == 0 {
                return Err(DieselError::NotFound.into());
            }
        }
        Ok(())
    })
}

/// What a fault may come out as. Whoever cancels a plain statement of Diesel's is not understood by its words.
fn is_expected(error: &LockError) -> bool {
    match error {
        LockError::ConnectionLost(_) | LockError::CommitUnknown(_) | LockError::Canceled { .. } => true,
        LockError::Query(DieselError::DatabaseError(_, info)) => {
            // PostgreSQL, MySQL and MariaDB
            ["canceling statement due to user request", "Query execution was interrupted"].contains(&info.message())
        }
        LockError::Query(error) => *error == DieselError::NotFound,
        _ => false,
    }
}

/// What the sessions have come to.
#[derive(Default)]
struct Story {
    over: AtomicBool,
    done: AtomicUsize,
    lost: AtomicUsize,
    canceled: AtomicUsize,
    /// Inserted without a transaction, when it was over.
    alone: AtomicI64,
    /// The sessions that are through with connecting.
    connected: Mutex<Vec<i32>>,
}

impl Story {
    /// Cancels statements and terminates sessions, waiting ones above all, until enough of them have felt it.
    fn chaos(&self, arena: &Arena) {
        let mut observer = arena.connect();
        loop {
            let (lost, canceled) = (self.lost.load(Ordering::Relaxed), self.canceled.load(Ordering::Relaxed));
            if lost + canceled >= FAULTS {
                return;
            }
            let victim = until(|| {
                let at_work: Vec<i32> = sql::<Integer>(Family::AT_WORK).load(&mut observer).unwrap();
                let connected = self.connected.lock().unwrap();
                at_work.into_iter().find(|session| connected.contains(session))
            });
            let victim = victim.expect("somebody at work");
            if canceled < lost { observer.cancel(victim) } else { observer.terminate(victim) }
        }
    }

    /// Makes transfers until it is over.
    fn transfers(&self, arena: &Arena, number: usize, session: &mut Driver) {
        self.connected.lock().unwrap().push(session.pid());
        while !self.over.load(Ordering::SeqCst) {
            let result = transfer(session.conn(), number);
            if let Err(error) = &result {
                assert!(is_expected(error), "{error:?}");
            }
            match result {
                Ok(()) => self.done.fetch_add(1, Ordering::Relaxed),
                Err(LockError::ConnectionLost(_) | LockError::CommitUnknown(_)) => {
                    *session = Driver::connect(arena.url());
                    self.connected.lock().unwrap().push(session.pid());
                    self.lost.fetch_add(1, Ordering::Relaxed)
                }
                Err(_) => self.canceled.fetch_add(1, Ordering::Relaxed),
            };
            thread::yield_now();
        }
        // Whatever it went through, what it does without a transaction is committed by itself.
        match session.execute(&format!("INSERT INTO parents (id, data) VALUES ({}, 'alone')", 100 + number)) {
            Ok(_) => drop(self.alone.fetch_add(1, Ordering::Relaxed)),
            // It was among the last who were ended, and has not noticed before.
            Err(error) => assert!(matches!(LockError::from(error), LockError::ConnectionLost(_))),
        }
    }
}

/// P08, T02.
#[test]
fn money_is_conserved_over_two_hundred_faults() {
    let arena = Arena::new();
    arena.execute(&format!(
        "DELETE FROM accounts; INSERT INTO accounts SELECT n, 'somebody', 100, 0 FROM {}",
        numbers(1, ACCOUNTS.into()),
    ));
    let story = Story::default();
    crowd::<Driver, _>(&arena, THREADS + 1, Duration::from_secs(120), |number, session| {
        if number == THREADS {
            let _over = Over(&story.over);
            story.chaos(&arena);
        } else {
            story.transfers(&arena, number, session);
        }
    });
    let (done, lost, canceled) = (story.done.into_inner(), story.lost.into_inner(), story.canceled.into_inner());
    println!("{done} transfers, {lost} connections lost, {canceled} statements cancelled");
    assert!(done > 0 && lost > FAULTS / 4 && canceled > FAULTS / 4, "{done}, {lost}, {canceled}");
    assert_eq!(arena.number("SELECT sum(balance) FROM accounts"), i64::from(ACCOUNTS) * 100);
    assert_eq!(arena.number("SELECT COUNT(*) FROM parents WHERE id >= 100"), story.alone.into_inner());
    assert!(arena.held_keys("accounts", "id").is_empty());
    // Both halves of each transfer or none; a commit may have come through unheard.
    let moved = arena.number("SELECT sum(v) FROM accounts");
    assert!(moved % 2 == 0 && moved / 2 >= i64::try_from(done).unwrap(), "{moved}, {done}");
}
