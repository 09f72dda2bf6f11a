//! Rows that are held, sessions that wait, and databases of a test's own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use diesel::prelude::*;
use diesel_lockset::{
    prelude::*,
    testing::{Held, Interleave, InterleaveError, LockProbe, TestDatabase},
};

use super::{
    Conn, VARIABLE,
    fixture::{Account, Item, accounts, database, reset},
};

#[test]
fn held_rows_are_locked_and_others_free() {
    let database = database();
    reset(&mut database.connect().unwrap()).unwrap();
    let probe = &mut LockProbe::<Conn>::connect(database.url()).unwrap();
    probe.assert_free::<Account>([1, 2, 3]);

    let held = Held::by(database.url(), |conn: &mut Conn| {
        LockSet::new().ids::<Account>([1, 3]).id::<Item>((1, 2)).lock(conn).map(drop)
    });
    let held = held.unwrap();
    probe.assert_locked::<Account>([1, 3]);
    probe.assert_locked::<Item>([(1, 2)]);
    probe.assert_free::<Account>([2]);
    probe.assert_free::<Item>([(1, 1)]);
    let mut said = |asked: fn(&mut LockProbe<Conn>)| {
        let panic = catch_unwind(AssertUnwindSafe(|| asked(probe))).expect_err("the assertion is wrong");
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let text = said(|probe| probe.assert_locked::<Account>([1, 2]));
    assert!(text.contains("Account 2") && !text.contains("Account 1"), "{text}");
    let text = said(|probe| probe.assert_free::<Account>([2, 3]));
    assert!(text.contains("Account 3") && !text.contains("Account 2"), "{text}");
    let text = said(|probe| probe.assert_free::<Account>([77]));
    assert!(text.contains("missing") && text.contains("Account 77"), "{text}");

    held.release();
    probe.assert_free::<Account>([1, 2, 3]);
}

#[test]
fn what_a_holder_changes_is_undone() {
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    let held = Held::by(database.url(), |conn: &mut Conn| diesel::delete(accounts::table.find(1)).execute(conn));
    drop(held.unwrap());
    assert_eq!(accounts::table.count().get_result(conn), Ok(3));
    let failed = Held::by(database.url(), |conn: &mut Conn| Account::lock_by_id(77, conn));
    assert!(failed.unwrap_err().to_string().contains("77"));
}

#[test]
fn sessions_that_wait_are_waited_for() {
    let database = database();
    reset(&mut database.connect().unwrap()).unwrap();
    let probe = &mut LockProbe::<Conn>::connect(database.url()).unwrap();
    let held = Held::by(database.url(), |conn: &mut Conn| Account::lock_by_id(1, conn)).unwrap();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let mut conn = database.connect().unwrap();
                scope.spawn(move || conn.transaction(|conn| Account::lock_by_id(1, conn)).unwrap())
            })
            .collect();
        let waits = probe.wait_until_blocked(2);
        assert!(waits.waits.iter().any(|wait| wait.holders.contains(&held.session())), "{waits}");
        held.release();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().id, 1);
        }
    });
    let mut short = LockProbe::<Conn>::connect(database.url()).unwrap().timeout(Duration::from_millis(1));
    let panic = catch_unwind(AssertUnwindSafe(|| short.wait_until_blocked(1))).expect_err("nobody waits");
    assert!(panic.downcast_ref::<String>().unwrap().contains("no 1 sessions wait"));
}

/// MariaDB brings its list of waits up to date only if nobody has looked at it for a moment.
#[test]
fn processes_that_look_who_waits_get_on() {
    let test = module_path!()
        .replace("testing::", "")
        .replace("harness", "anomalies::a_deadlock_of_naive_transfers_and_nothing_else");
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut process = Command::new(std::env::current_exe().unwrap());
            process.args([&*test, "--exact"]).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}

#[test]
fn a_database_is_dropped_with_its_value() {
    let url = std::env::var(VARIABLE).unwrap();
    let database = TestDatabase::<Conn>::create(&url).unwrap();
    let (name, there) = (database.name().to_owned(), database.url().to_owned());
    assert!(name.starts_with("lockset_test_") && there.contains(&name));
    let _straggler = database.connect().unwrap();
    drop(database);
    assert!(Conn::establish(&there).is_err());
}

#[test]
fn a_bench_that_cannot_be_run_says_why() {
    let database = database();
    let bench = || Interleave::<Conn>::new(database.url());
    assert!(matches!(bench().run(), Err(InterleaveError::Sessions(0))));
    let setup = bench().setup(|_| Err::<(), _>("no rows today")).session("a", |_| QueryResult::Ok(())).run();
    assert!(setup.unwrap_err().to_string().contains("no rows today"));

    // A session that waits for a row which nobody of the bench will release.
    reset(&mut database.connect().unwrap()).unwrap();
    let held = Held::by(database.url(), |conn: &mut Conn| Account::lock_by_id(1, conn)).unwrap();
    let stuck = bench()
        .session("a", |conn| diesel::update(accounts::table.find(1)).set(accounts::balance.eq(1)).execute(conn))
        .step_timeout(Duration::from_millis(300))
        .run();
    let text = stuck.unwrap_err().to_string();
    assert!(text.contains("UPDATE") && text.contains("blocked"), "{text}");
    drop(held);
}
