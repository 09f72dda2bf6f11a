//! Rows that change after the statement saw them and before it locks them: they are looked at again.
//!
//! The filter asks for an advisory lock that somebody holds, so that the statement stops between the two.

use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types::Bool};
use diesel_lockset::PickDsl;

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Job,
        schema::jobs,
    },
};

/// Stops at row 4, the first in the order, until advisory lock 1 is free.
#[diesel::dsl::auto_type]
fn slowly() -> _ {
    let stop: diesel::expression::SqlLiteral<Bool> =
        sql::<Bool>("(\"jobs\".\"id\" <> 4 OR pg_advisory_lock_shared(1) IS NOT NULL)");
    jobs::table.filter(jobs::status.eq("NEW")).filter(stop).order((jobs::priority, jobs::id))
}

/// What the worker gets if `change` is committed after its statement has read the row and before it locks it.
fn meanwhile(change: &'static str, take: fn(&mut Blocking) -> Vec<Job>) -> Vec<(i64, i32)> {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (gate, worker) = (play.session("gate"), play.session("worker"));
    gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)").unwrap());
    let taking = worker.start("takes", move |s| {
        s.begin().unwrap();
        let taken = take(s);
        s.commit().unwrap();
        taken.iter().map(|job| (job.id, job.attempts)).collect::<Vec<_>>()
    });
    taking.blocked_by(&gate);
    arena.execute(change);
    gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)").unwrap());
    taking.join()
}

fn pick_two(s: &mut Blocking) -> Vec<Job> {
    slowly().pick(2, s.conn()).unwrap()
}

fn claim_two(s: &mut Blocking) -> Vec<Job> {
    slowly().claim(2, jobs::payload.eq("taken"), s.conn()).unwrap()
}

/// E07, F02.
#[test]
fn a_row_that_no_longer_matches_gives_way_to_the_next() {
    for take in [pick_two, claim_two] {
        assert_eq!(meanwhile("UPDATE jobs SET status = 'DONE' WHERE id = 4", take), [(3, 0), (2, 0)]);
        assert_eq!(meanwhile("DELETE FROM jobs WHERE id = 4", take), [(3, 0), (2, 0)]);
    }
}

/// F01.
#[test]
fn a_row_that_still_matches_comes_back_as_it_is_now() {
    for take in [pick_two, claim_two] {
        assert_eq!(meanwhile("UPDATE jobs SET attempts = 9 WHERE id = 4", take), [(4, 9), (3, 0)]);
    }
}

/// The same, but the status is asked for in a subquery, whose answer PostgreSQL does not ask for again.
fn slowly_by_subquery() -> jobs::BoxedQuery<'static, Pg> {
    let others = diesel::alias!(jobs as others);
    let new = others.filter(others.field(jobs::status).eq("NEW")).select(others.field(jobs::id));
    slowly_all().filter(jobs::id.eq_any(new)).order((jobs::priority, jobs::id)).into_boxed()
}

#[diesel::dsl::auto_type]
fn slowly_all() -> _ {
    let stop: diesel::expression::SqlLiteral<Bool> =
        sql::<Bool>("(\"jobs\".\"id\" <> 4 OR pg_advisory_lock_shared(1) IS NOT NULL)");
    jobs::table.filter(stop)
}

/// The first that is NEW.
fn slowly_the_first() -> jobs::BoxedQuery<'static, Pg> {
    let first = sql::<Bool>("\"jobs\".\"id\" = (SELECT max(id) FROM jobs WHERE status = 'NEW')");
    slowly_all().filter(first).into_boxed()
}

/// E07, F02.
#[test]
fn a_row_that_no_longer_matches_a_subquery_gives_way_to_the_next() {
    let picks: fn(&mut Blocking) -> Vec<Job> = |s| slowly_by_subquery().pick(2, s.conn()).unwrap();
    let claims: fn(&mut Blocking) -> Vec<Job> =
        |s| slowly_by_subquery().claim(2, jobs::attempts.eq(jobs::attempts + 1), s.conn()).unwrap();
    let first: fn(&mut Blocking) -> Vec<Job> = |s| slowly_the_first().pick(1, s.conn()).unwrap();
    let claims_first: fn(&mut Blocking) -> Vec<Job> =
        |s| slowly_the_first().claim(1, jobs::status.eq("TAKEN"), s.conn()).unwrap();
    const GONE: &str = "UPDATE jobs SET status = 'DONE' WHERE id = 4";
    assert_eq!(meanwhile(GONE, picks), [(3, 0), (2, 0)]);
    assert_eq!(meanwhile(GONE, claims), [(3, 1), (2, 1)]);
    assert_eq!(meanwhile(GONE, first), [(3, 0)]);
    assert_eq!(meanwhile(GONE, claims_first), [(3, 0)]);
    assert_eq!(meanwhile("DELETE FROM jobs WHERE id = 4", claims), [(3, 1), (2, 1)]);
    assert_eq!(meanwhile("UPDATE jobs SET attempts = 7 WHERE id = 4", picks), [(4, 7), (3, 0)]);
    assert_eq!(meanwhile("UPDATE jobs SET attempts = 7 WHERE id = 4", claims), [(4, 8), (3, 1)]);
}

/// E07.
#[test]
fn a_claim_by_a_subquery_is_committed_when_it_returns_and_asks_for_nothing_twice() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    let others = diesel::alias!(jobs as others);
    let new = others.filter(others.field(jobs::status).eq("NEW")).select(others.field(jobs::id));
    let query = jobs::table.filter(jobs::id.eq_any(new)).order(jobs::id.desc());
    let claimed: Vec<Job> = query.claim(3, jobs::attempts.eq(jobs::attempts + 1), session.conn()).unwrap();
    assert_eq!(claimed.iter().map(|job| (job.id, job.attempts)).collect::<Vec<_>>(), [(4, 1), (3, 1), (2, 1)]);
    assert_eq!(sent.take().len(), 6, "BEGIN, its level, lock, look, change, COMMIT");
    assert_eq!(arena.number("SELECT COUNT(*) FROM jobs WHERE attempts = 1"), 3);
    assert!(arena.held_keys("jobs", "id").is_empty());
}
