//! Picks of other strengths, and of queries with a clause of their own.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl};

use super::super::quoted;
use super::{Arena, Driver, new_mail, verbs::PickDsl};
use crate::support::{driver::Session, models::Job, schema::jobs};

/// E05.
#[test]
fn those_who_share_pick_the_same_rows() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    for session in [&mut one, &mut two] {
        session.begin().unwrap();
        let shared: Vec<i64> = new_mail().select(jobs::id).for_share_of(jobs::table).pick(2, session.conn()).unwrap();
        assert_eq!(shared, [4, 3]);
    }
    let mut three = Driver::connect(arena.url());
    three.begin().unwrap();
    let own: Vec<i64> = new_mail().select(jobs::id).for_update_of(jobs::table).pick(4, three.conn()).unwrap();
    assert_eq!(own, [2, 1]);
}

#[test]
fn a_claim_takes_the_strength_of_its_clause() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let weak = new_mail().for_update_of(jobs::table);
    let claimed: Vec<Job> = weak.claim(1, jobs::status.eq("TAKEN"), session.conn()).unwrap();
    assert_eq!(claimed[0].id, 4);
    let sent = sent.take();
    let clause = format!("FOR UPDATE OF {} SKIP LOCKED", quoted("jobs"));
    assert!(sent.iter().any(|sent| sent.contains(&clause) || sent.contains("FOR UPDATE SKIP LOCKED")), "{sent:?}");
}

#[test]
fn a_query_with_a_clause_of_its_own_picks_what_it_selects() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let next = new_mail().select((jobs::id, jobs::payload)).for_update_of(jobs::table);
    let next: Result<Option<(i64, String)>, LockError> = next.pick_next(session.conn());
    assert_eq!(next.unwrap(), Some((4, "to dan".to_owned())));
    assert_eq!(arena.held_keys("jobs", "id"), ["4"]);
}

#[test]
fn with_a_clause_of_its_own_it_is_refused_outside_a_transaction_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let refused = new_mail().for_update_of(jobs::table).pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert_eq!(sent.take(), [""; 0]);
}
