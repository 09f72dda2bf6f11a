//! A pick in a transaction whose snapshot is older than the row.

use diesel_lockset::LockError;

use super::{Arena, Driver, new_mail, verbs::PickDsl};
use crate::support::{driver::Session, models::Job, server::Server};

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
