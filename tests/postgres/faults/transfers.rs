//! Transfers between accounts while sessions are cancelled and terminated at random: money is conserved.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use diesel::{prelude::*, result::Error as DieselError, sql_query, sql_types::Integer};
use diesel_lockset::{LockError, LockSet, LockTransaction, RunLockSet, RunLockTransaction};

use crate::{
    isolation::crowd,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        patience::until,
        schema::accounts,
    },
};

const ACCOUNTS: i32 = 20;
const FAULTS: usize = 200;
const THREADS: usize = 4;

#[derive(QueryableByName)]
struct Victim {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// Says that it is over, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Moves 1, with a set that always asks for the two accounts in the order given.
fn transfer(conn: &mut PgConnection, number: usize) -> Result<(), LockError> {
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
        sql_query("SELECT count(*) FROM generate_series(1, 20000)").execute(conn)?;
        for (id, change) in [(from, -1), (to, 1)] {
            let account = locked.id::<Account>(id)?;
            diesel::update(accounts::table.find(id))
                .set((accounts::balance.eq(account.balance + change), accounts::v.eq(account.v + 1)))
                .execute(conn)?;
        }
        Ok(())
    })
}

/// What a fault may come out as. Whoever cancels a plain statement of Diesel's is not understood by its words.
fn is_expected(error: &LockError) -> bool {
    match error {
        LockError::ConnectionLost(_) | LockError::Canceled { .. } => true,
        LockError::Query(DieselError::DatabaseError(_, info)) => {
            info.message() == "canceling statement due to user request"
        }
        _ => false,
    }
}

/// Cancels and terminates sessions that are in a transaction, waiting ones above all, until enough of them have felt it.
fn chaos(session: &mut Blocking, lost: &AtomicUsize, canceled: &AtomicUsize) {
    // Not while they are connecting.
    loop {
        let (lost, canceled) = (lost.load(Ordering::Relaxed), canceled.load(Ordering::Relaxed));
        if lost + canceled >= FAULTS {
            return;
        }
        let victim = until(|| {
            let victim: QueryResult<Vec<Victim>> = sql_query(
                "SELECT pid FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
                 AND state <> 'idle' AND query <> '' AND query NOT ILIKE 'SET %' AND query NOT LIKE '%pg_backend_pid%' \
                 ORDER BY wait_event_type IS DISTINCT FROM 'Lock', random() LIMIT 1",
            )
            .load(session.conn());
            victim.unwrap().pop()
        });
        let pid = victim.expect("somebody at work").pid;
        let fault = if canceled < lost { "pg_cancel_backend" } else { "pg_terminate_backend" };
        session.execute(&format!("SELECT {fault}({pid})")).unwrap();
    }
}

/// P08, T02.
#[test]
fn money_is_conserved_over_two_hundred_faults() {
    let arena = Arena::new();
    arena.execute(&format!(
        "DELETE FROM accounts; INSERT INTO accounts SELECT id, 'somebody', 100, 0 FROM generate_series(1, {ACCOUNTS}) id"
    ));
    let (over, done, lost, canceled) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    crowd::<Blocking, _>(&arena, THREADS + 1, Duration::from_secs(40), |number, session| {
        if number == THREADS {
            let _over = Over(&over);
            chaos(session, &lost, &canceled);
            return;
        }
        while !over.load(Ordering::SeqCst) {
            let result = transfer(session.conn(), number);
            if let Err(error) = &result {
                assert!(is_expected(error), "{error:?}");
            }
            match result {
                Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                Err(LockError::ConnectionLost(_)) => {
                    *session = Blocking::connect(arena.url());
                    lost.fetch_add(1, Ordering::Relaxed)
                }
                Err(_) => canceled.fetch_add(1, Ordering::Relaxed),
            };
            thread::yield_now();
        }
    });
    let (done, lost, canceled) = (done.into_inner(), lost.into_inner(), canceled.into_inner());
    println!("{done} transfers, {lost} connections lost, {canceled} statements cancelled");
    assert!(done > 0 && lost > FAULTS / 4 && canceled > FAULTS / 4, "{done}, {lost}, {canceled}");
    assert_eq!(arena.number("SELECT sum(balance) FROM accounts"), i64::from(ACCOUNTS) * 100);
    assert!(arena.held_keys("accounts", "id").is_empty());
    // Both halves of each transfer or none; a commit may have come through unheard.
    let moved = arena.number("SELECT sum(v) FROM accounts");
    assert!(moved % 2 == 0 && moved / 2 >= i64::try_from(done).unwrap(), "{moved}, {done}");
}
