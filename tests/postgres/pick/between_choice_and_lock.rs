//! Rows that change after the statement saw them and before it locks them: they are looked at again.
//!
//! The filter asks for an advisory lock that somebody holds, so that the statement stops between the two.

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
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
