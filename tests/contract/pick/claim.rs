//! `claim`: the first free rows are changed and come back as changed.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, ids, new_mail, verbs::PickDsl};
use crate::support::{
    driver::Session,
    models::{Job, Seat},
    schema::{jobs, seats},
};

#[derive(AsChangeset)]
#[diesel(table_name = jobs)]
struct Taken<'a> {
    status: &'a str,
    payload: Option<&'a str>,
}

pub(super) fn claim(s: &mut Driver, n: u32) -> Vec<Job> {
    new_mail().claim(n, (jobs::status.eq("TAKEN"), jobs::attempts.eq(jobs::attempts + 1)), s.conn()).unwrap()
}

/// J01, J11.
#[test]
fn rows_come_back_as_changed_in_the_order_that_was_asked_for() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let claimed = claim(&mut session, 3);
    assert_eq!(ids(&claimed), [4, 3, 2]);
    assert!(claimed.iter().all(|job| job.status == "TAKEN" && job.attempts == 1), "{claimed:?}");
    arena.assert_held("jobs", "id", &["2", "3", "4"]);
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status = 'TAKEN'"), 3);
}

#[test]
fn the_order_is_that_of_the_query_also_if_the_change_turns_it_round() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let claimed: Vec<Job> = new_mail().claim(4, jobs::priority.eq(jobs::priority * -1), session.conn()).unwrap();
    assert_eq!(claimed.iter().map(|job| job.priority).collect::<Vec<_>>(), [-5, -10, -20, -30]);
}

#[test]
fn outside_a_transaction_the_claim_is_committed_and_nothing_stays_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    assert_eq!(ids(&claim(&mut session, 1)), [4]);
    super::super::assert_sent(sent.take().len(), 1, "a claim");
    assert_eq!(arena.text("SELECT status FROM jobs WHERE id = 4").as_deref(), Some("TAKEN"));
    arena.assert_held("jobs", "id", &[""; 0]);
    assert_eq!(ids(&claim(&mut session, 9)), [3, 2, 1]);
    assert_eq!(ids(&claim(&mut session, 9)), [0; 0]);
}

#[test]
fn a_rollback_gives_what_was_claimed_back() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(ids(&claim(&mut session, 2)), [4, 3]);
    session.rollback().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status = 'NEW'"), 4);
}

#[test]
fn a_changeset_struct_changes_what_it_holds() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let kept = Taken { status: "TAKEN", payload: None };
    let claimed: Vec<Job> = new_mail().claim(1, &kept, session.conn()).unwrap();
    assert_eq!((&*claimed[0].status, &*claimed[0].payload), ("TAKEN", "to dan"));
    let replaced = Taken { status: "TAKEN", payload: Some("'; DROP TABLE jobs; --") };
    let claimed: Vec<Job> = new_mail().claim(1, replaced, session.conn()).unwrap();
    assert_eq!(claimed[0].payload, "'; DROP TABLE jobs; --");
}

#[test]
fn composite_keys_are_claimed_exactly() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let free = || seats::table.filter(seats::holder.is_null()).order((seats::number.desc(), seats::section));
    let claimed: Vec<Seat> = free().claim(3, seats::holder.eq("ada"), session.conn()).unwrap();
    let claimed: Vec<_> = claimed.iter().map(|seat| (&*seat.section, seat.number)).collect();
    assert_eq!(claimed, [("A", 2), ("B", 2), ("A", 1)]);
    assert_eq!(arena.number("SELECT count(*) FROM seats WHERE holder = 'ada'"), 3);
}

#[test]
fn a_change_of_nothing_is_refused_before_anything_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let nothing: Option<diesel::dsl::Eq<jobs::payload, String>> = None;
    let refused = new_mail().claim::<Job, _>(1, nothing, session.conn()).unwrap_err();
    let LockError::Query(reason) = refused else { panic!("{refused:?}") };
    assert!(reason.to_string().contains("nothing to change"), "{reason}");
    assert_eq!(sent.take(), [""; 0]);
}

#[test]
fn a_constraint_that_the_change_breaks_is_the_servers_error_and_nothing_is_changed() {
    let arena = Arena::new();
    arena.execute("ALTER TABLE jobs ADD CHECK (attempts < 1)");
    let mut session = Driver::connect(arena.url());
    let broken = new_mail().claim::<Job, _>(2, jobs::attempts.eq(5), session.conn());
    assert!(matches!(broken, Err(LockError::Query(_))), "{broken:?}");
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE attempts = 0"), 5);
    // The session goes on.
    assert_eq!(ids(&new_mail().claim::<Job, _>(1, jobs::status.eq("TAKEN"), session.conn()).unwrap()), [4]);
}

#[test]
fn what_was_claimed_can_be_part_of_a_set() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let claimed = claim(&mut session, 2);
    let locked = session.lock_set(LockSet::new().rows(&claimed)).unwrap();
    assert_eq!(
        locked.rows::<Job>().iter().map(|job| (job.id, &*job.status)).collect::<Vec<_>>(),
        [(3, "TAKEN"), (4, "TAKEN")]
    );
}
