//! What a pick refuses, before anything is sent.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl};

use super::{Arena, Driver, new_mail, verbs::PickDsl};
use crate::support::{driver::Session, models::Job, schema::jobs, server::Server};

#[test]
fn a_pick_outside_a_transaction_is_refused_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let refused = new_mail().pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    let refused = new_mail().pick::<Job>(0, session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    let refused = new_mail().for_update_of(jobs::table).pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert_eq!(sent.take(), [""; 0]);
}

/// I16.
#[test]
fn queries_whose_rows_are_not_rows_of_a_table_are_refused_with_the_reason() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let conn = session.conn();
    let distinct = jobs::table.distinct().into_boxed().pick_next::<Job>(conn);
    let claimed = new_mail().into_boxed().distinct().claim::<Job, _>(1, jobs::status.eq("TAKEN"), conn);
    for refused in [distinct.map(|_| ()), claimed.map(|_| ())] {
        let Err(LockError::Unsupported { clause, .. }) = refused else { panic!("{refused:?}") };
        assert!(clause.contains("DISTINCT"), "{clause}");
    }
    let limited = new_mail().limit(3).pick::<Job>(5, conn);
    let offset = new_mail().into_boxed().offset(1).pick_next::<Job>(conn).map(Vec::from_iter);
    let claimed = new_mail().limit(3).claim::<Job, _>(1, jobs::status.eq("TAKEN"), conn);
    for refused in [limited, offset, claimed] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("LIMIT or OFFSET") && said.contains("pick(n, conn)"), "{said}");
    }
    assert_eq!(sent.take(), [""; 0]);
    session.execute("SELECT 1").unwrap();
}

#[test]
fn in_a_read_only_transaction_a_pick_is_read_only() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin_as("READ ONLY").unwrap();
    let refused = new_mail().pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::ReadOnly(_))), "{refused:?}");
    session.rollback().unwrap();
    session.begin_as("READ ONLY").unwrap();
    let refused = new_mail().claim::<Job, _>(1, jobs::status.eq("TAKEN"), session.conn());
    assert!(matches!(refused, Err(LockError::ReadOnly(_))), "{refused:?}");
}

/// I14.
#[test]
fn a_row_that_changed_after_the_snapshot_is_a_serialization_failure() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.execute(&<Driver as Session>::Server::isolate("REPEATABLE READ")).unwrap();
    session.begin().unwrap();
    session.number("SELECT count(*) FROM jobs").unwrap();
    arena.execute("UPDATE jobs SET attempts = 1 WHERE id = 4");
    let refused = new_mail().pick_next::<Job>(session.conn());
    if !arena.fails_on_stale_rows() {
        let picked = refused.unwrap().map(|job| (job.id, job.attempts));
        assert_eq!(picked, Some((4, 1)), "the row as it is now, whatever the snapshot shows");
        return;
    }
    assert!(matches!(&refused, Err(error) if error.is_retryable()), "{refused:?}");
    assert!(matches!(refused, Err(LockError::Serialization { .. })), "{refused:?}");
    session.rollback().unwrap();
    session.begin().unwrap();
    let picked: Option<Job> = new_mail().pick_next(session.conn()).unwrap();
    assert_eq!(picked.map(|job| (job.id, job.attempts)), Some((4, 1)), "in a new transaction it works");
}
