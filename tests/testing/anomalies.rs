//! Code that is wrong, and what the interleaver says of it.

use diesel::{prelude::*, result::Error};
use diesel_lockset::{
    prelude::*,
    testing::{Anomaly, Coverage, Interleave, Outcome, Report},
};

use super::{
    Conn,
    fixture::{Account, accounts, database, doctors, items, jobs, products, reset},
};

fn bench<'a>(url: &str) -> Interleave<'a, Conn> {
    Interleave::new(url).setup(reset)
}

/// Shows the report of a test that is run with `--nocapture`.
fn shown<O: std::fmt::Debug>(report: &Report<O>) {
    println!("{report}");
}

fn balances(conn: &mut Conn) -> QueryResult<Vec<i32>> {
    accounts::table.order(accounts::id).select(accounts::balance).load(conn)
}

#[test]
fn a_lost_update_of_read_modify_write() {
    fn deposit(conn: &mut Conn, amount: i32) -> QueryResult<()> {
        conn.transaction(|conn| {
            let balance: i32 = accounts::table.find(1).select(accounts::balance).first(conn)?;
            diesel::update(accounts::table.find(1)).set(accounts::balance.eq(balance + amount)).execute(conn)?;
            Ok(())
        })
    }
    let database = database();
    let bench = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", |conn| deposit(conn, 10))
        .session("bob", |conn| deposit(conn, 20))
        .observe(balances);
    let report = bench.run().unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::LostUpdate]);
    assert_eq!(report.coverage(), Coverage::Exhaustive);
    let table = report.findings()[0].schedule().to_string();
    assert!(table.contains("COMMIT") && table.contains("UPDATE"), "{table}");

    for finding in report.findings() {
        let again = bench.replay(finding.schedule().id()).unwrap();
        assert_eq!((again.schedules(), again.coverage()), (1, Coverage::Replayed));
        assert_eq!(again.findings()[0].rows(), finding.rows());
        assert_eq!(again.findings()[0].schedule().to_string(), finding.schedule().to_string());
    }
    let astray = bench.replay("ac").expect_err("there is no third session");
    assert!(astray.to_string().contains("`c`"), "{astray}");
}

/// The example of `docs/test_your_locking.md`.
#[test]
fn an_oversell_of_the_last_one() {
    fn buy(conn: &mut Conn, product: i32) -> QueryResult<bool> {
        conn.transaction(|conn| {
            let stock: i32 = products::table.find(product).select(products::stock).first(conn)?;
            if stock < 1 {
                return Ok(false);
            }
            diesel::update(products::table.find(product)).set(products::stock.eq(products::stock - 1)).execute(conn)?;
            Ok(true)
        })
    }
    let database = database();
    let report = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", |conn| buy(conn, 1))
        .session("bob", |conn| buy(conn, 1))
        .observe(|conn| products::table.find(1).select(products::stock).first::<i32>(conn))
        .run()
        .unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::Oversell]);
}

#[test]
fn an_oversell_without_a_guard() {
    fn buy(conn: &mut Conn, order: i32) -> QueryResult<bool> {
        conn.transaction(|conn| {
            let stock: i32 = products::table.find(1).select(products::stock).first(conn)?;
            if stock < 1 {
                return Ok(false);
            }
            diesel::insert_into(items::table)
                .values((items::order_id.eq(order), items::line.eq(1), items::product_id.eq(1)))
                .execute(conn)?;
            diesel::update(products::table.find(1)).set(products::stock.eq(products::stock - 1)).execute(conn)?;
            Ok(true)
        })
    }
    let database = database();
    let report = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", |conn| buy(conn, 7))
        .session("bob", |conn| buy(conn, 8))
        .observe(|conn| products::table.find(1).select(products::stock).first::<i32>(conn))
        .run()
        .unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::Oversell]);
    assert!(report.findings().iter().all(|finding| *finding.rows() == -1));
}

#[test]
fn a_write_skew() {
    fn go_off_call(conn: &mut Conn, doctor: i32) -> QueryResult<bool> {
        conn.transaction(|conn| {
            let on_call: i64 = doctors::table.filter(doctors::on_call).count().get_result(conn)?;
            if on_call > 1 {
                diesel::update(doctors::table.find(doctor)).set(doctors::on_call.eq(false)).execute(conn)?;
            }
            Ok(on_call > 1)
        })
    }
    let database = database();
    let report = bench(database.url())
        .session("alice", |conn| go_off_call(conn, 1))
        .session("bob", |conn| go_off_call(conn, 2))
        .observe(|conn| doctors::table.filter(doctors::on_call).count().get_result::<i64>(conn))
        .run()
        .unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::WriteSkew]);
}

#[test]
fn a_deadlock_of_naive_transfers_and_nothing_else() {
    fn transfer(conn: &mut Conn, from: i32, to: i32, amount: i32) -> QueryResult<()> {
        conn.transaction(|conn| {
            for (id, change) in [(from, -amount), (to, amount)] {
                let balance: i32 = accounts::table.find(id).select(accounts::balance).for_update().first(conn)?;
                diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance + change)).execute(conn)?;
            }
            Ok(())
        })
    }
    let database = database();
    let bench = || {
        bench(database.url())
            .session("alice", |conn| transfer(conn, 1, 2, 10))
            .session("bob", |conn| transfer(conn, 2, 1, 30))
            .observe(balances)
    };
    let report = bench().run().unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::Deadlock]);
    report_is_allowed(&bench().allow(Anomaly::Deadlock).run().unwrap());
}

fn report_is_allowed(report: &Report<Vec<i32>>) {
    report.assert_serializable();
    assert!(report.outcomes().iter().any(|outcome| outcome.anomaly() == Some(Anomaly::Deadlock)));
}

#[test]
fn a_double_claim_by_select_then_update() {
    fn claim(conn: &mut Conn, worker: &str) -> QueryResult<Option<i32>> {
        conn.transaction(|conn| {
            let free = jobs::table.filter(jobs::status.eq("new")).order(jobs::id).select(jobs::id);
            let Some(id) = free.first::<i32>(conn).optional()? else { return Ok(None) };
            diesel::update(jobs::table.find(id))
                .set((jobs::status.eq("taken"), jobs::worker.eq(worker)))
                .execute(conn)?;
            Ok(Some(id))
        })
    }
    let database = database();
    let report = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", |conn| claim(conn, "alice"))
        .session("bob", |conn| claim(conn, "bob"))
        .observe(|conn| jobs::table.order(jobs::id).select(jobs::status).load::<String>(conn))
        .run()
        .unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::DoubleClaim]);
}

/// The rows are locked until the statement ends, outside of a transaction.
#[test]
fn a_double_claim_by_a_pick_outside_of_a_transaction() {
    fn claim(conn: &mut Conn, worker: &str) -> QueryResult<Option<i32>> {
        let free =
            jobs::table.filter(jobs::status.eq("new")).order(jobs::id).select(jobs::id).for_update().skip_locked();
        let Some(id) = free.first::<i32>(conn).optional()? else { return Ok(None) };
        diesel::update(jobs::table.find(id)).set((jobs::status.eq("taken"), jobs::worker.eq(worker))).execute(conn)?;
        Ok(Some(id))
    }
    let database = database();
    let report = bench(database.url())
        .session("alice", |conn| claim(conn, "alice"))
        .session("bob", |conn| claim(conn, "bob"))
        .observe(|conn| jobs::table.order(jobs::id).select(jobs::status).load::<String>(conn))
        .run()
        .unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::DoubleClaim]);
}

#[test]
fn a_half_done_closure_of_a_killed_session() {
    fn transfer(conn: &mut Conn) -> QueryResult<()> {
        diesel::update(accounts::table.find(1)).set(accounts::balance.eq(accounts::balance - 10)).execute(conn)?;
        diesel::update(accounts::table.find(2)).set(accounts::balance.eq(accounts::balance + 10)).execute(conn)?;
        Ok(())
    }
    let database = database();
    let bench = |whole: bool| {
        bench(database.url())
            .session("alice", move |conn| if whole { conn.transaction(transfer) } else { transfer(conn) })
            .session("bob", |conn| diesel::update(accounts::table.find(3)).set(accounts::balance.eq(1)).execute(conn))
            .observe(balances)
            .kill_at_every_step()
    };
    let report = bench(false).run().unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::NotAtomic]);
    bench(true).run().unwrap().assert_serializable();
}

#[test]
fn a_lost_answer_to_a_commit_is_no_rollback() {
    fn deposit(conn: &mut Conn) -> QueryResult<usize> {
        let deposited = accounts::balance.eq(accounts::balance + 10);
        conn.transaction(|conn| diesel::update(accounts::table.find(1)).set(deposited).execute(conn))
    }
    let database = database();
    let url = database.url();
    let again_by = move |conn: &mut Conn| deposit(conn).or_else(|_| deposit(&mut Conn::establish(url).unwrap()));
    let bench = |again: bool| {
        bench(url)
            .session("alice", move |conn| if again { again_by(conn) } else { deposit(conn) })
            .session("bob", |conn| diesel::update(accounts::table.find(1)).set(accounts::balance.eq(1)).execute(conn))
            .observe(balances)
    };
    // Killed in front of its `COMMIT`, it may do its work again.
    bench(true).kill_at_every_step().run().unwrap().assert_serializable();
    let report = bench(true).lose_answers_to_commits().run().unwrap();
    shown(&report);
    assert_eq!(report.anomalies(), [Anomaly::NotAtomic]);
    let schedule = report.findings()[0].schedule();
    assert!(schedule.id().contains('0') && schedule.to_string().contains("the answer is lost"), "{schedule}");
    let replayed = bench(true).lose_answers_to_commits().replay(schedule.id()).unwrap();
    assert_eq!(replayed.anomalies(), [Anomaly::NotAtomic]);
    let report = bench(false).kill_at_every_step().lose_answers_to_commits().run().unwrap();
    report.assert_serializable();
    assert!(report.outcomes().len() > 2, "{report}");
}

/// Over a connection of its own, a `LockTransaction` does not know either whether it has committed: it is not run again.
#[test]
fn a_lock_transaction_reports_a_lost_answer() {
    fn deposit(conn: &mut Conn) -> Result<(), LockError> {
        LockTransaction::new().run(conn, |conn| {
            let account = Account::lock_by_id(1, conn)?;
            let deposited = accounts::balance.eq(account.balance + 10);
            diesel::update(accounts::table.find(1)).set(deposited).execute(conn)?;
            Ok(())
        })
    }
    let database = database();
    let deposits = bench(database.url()).session("alice", deposit).session("bob", deposit).observe(balances);
    let report = deposits.lose_answers_to_commits().samples(60).run().unwrap();
    shown(&report);
    report.assert_serializable();
    let unknown = |outcome: &&Outcome<_>| outcome.results().iter().any(|result| result.contains("commit"));
    let unknown = report.outcomes().iter().filter(unknown).count();
    assert!(unknown >= 2, "{report}");
}

#[test]
fn what_a_closure_decides_and_returns_is_a_part_of_the_outcome() {
    let database = database();
    let refused = |conn: &mut Conn| -> QueryResult<()> {
        let balance: i32 = accounts::table.find(1).select(accounts::balance).first(conn)?;
        if balance < 150 { Err(Error::RollbackTransaction) } else { Ok(()) }
    };
    let raise = |conn: &mut Conn| {
        diesel::update(accounts::table.find(1)).set(accounts::balance.eq(accounts::balance + 50)).execute(conn)
    };
    let report = bench(database.url()).session("reads", refused).session("raises", raise).run().unwrap();
    report.assert_serializable();
    assert_eq!(report.outcomes().len(), 2);
    assert_eq!(report.schedules(), 2);
}

/// Of two sessions that wait for one row PostgreSQL may let go either first, so the third session has a row of its own.
#[test]
fn a_sample_is_repeated_by_its_seed() {
    fn deposit(conn: &mut Conn, id: i32, amount: i32) -> QueryResult<()> {
        conn.transaction(|conn| {
            let balance: i32 = accounts::table.find(id).select(accounts::balance).first(conn)?;
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance + amount)).execute(conn)?;
            Ok(())
        })
    }
    let database = database();
    let sample = |seed| {
        let bench = bench(database.url())
            .prepare(super::read_committed)
            .session("alice", |conn| deposit(conn, 1, 10))
            .session("bob", |conn| deposit(conn, 1, 20))
            .session("cyd", |conn| deposit(conn, 2, 30))
            .observe(balances)
            .max_schedules(10)
            .samples(15)
            .seed(seed);
        let report = bench.run().unwrap();
        assert_eq!(report.coverage(), Coverage::Sampled { seed, preemptions: 3 });
        assert_eq!(report.schedules(), 15);
        let id = |outcome: &Outcome<Vec<i32>>| (outcome.schedule().id().to_owned(), outcome.schedules());
        (report.anomalies(), report.outcomes().iter().map(id).collect::<Vec<_>>())
    };
    let (anomalies, ids) = sample(1);
    assert_eq!(anomalies, [Anomaly::LostUpdate]);
    assert_eq!(sample(1).1, ids);
    assert_ne!(sample(2).1, ids);
}
