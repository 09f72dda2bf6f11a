//! Claims whose statements are cancelled at random: what comes back is claimed.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    thread,
    time::Duration,
};

use diesel::prelude::*;
use diesel_lockset::LockError;

use super::{Arena, Driver, Over, verbs::PickDsl};
use crate::{
    isolation::crowd,
    support::{
        driver::Session,
        models::Job,
        patience::POLL,
        schema::jobs,
        server::{Observer, numbers},
    },
};

const CLAIMS: i64 = 400;

/// J01, P08.
#[test]
fn what_a_claim_returns_is_changed_although_statements_are_cancelled() {
    let arena = Arena::new();
    arena
        .execute(&format!("DELETE FROM jobs; INSERT INTO jobs (id, priority) SELECT n, 0 FROM {}", numbers(1, CLAIMS)));
    let (over, worker) = (AtomicBool::new(false), AtomicI32::new(0));
    let claimed = crowd::<Driver, _>(&arena, 2, Duration::from_secs(120), |number, session| {
        let mut claimed = BTreeSet::new();
        if number == 1 {
            let mut observer = arena.connect();
            while !over.load(Ordering::SeqCst) {
                // Not all the time, or no claim would get through.
                thread::sleep(POLL);
                match worker.load(Ordering::SeqCst) {
                    0 => {}
                    worker => observer.cancel(worker),
                }
            }
            return claimed;
        }
        let _over = Over(&over);
        worker.store(session.pid(), Ordering::SeqCst);
        for _ in 0..CLAIMS {
            let next = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id);
            let outcome: Result<Vec<Job>, _> = next.claim(1, jobs::status.eq("TAKEN"), session.conn());
            if matches!(outcome, Err(LockError::ConnectionLost(_))) {
                // A rollback was cancelled.
                *session = Driver::connect(arena.url());
                worker.store(session.pid(), Ordering::SeqCst);
            }
            for job in outcome.unwrap_or_default() {
                assert_eq!(job.status, "TAKEN", "{job:?}");
                assert!(claimed.insert(job.id), "claimed twice: {job:?}");
            }
        }
        claimed
    });
    let taken = arena.number("SELECT count(*) FROM jobs WHERE status = 'TAKEN'");
    let claimed = claimed.into_iter().flatten().count();
    println!("{claimed} of {CLAIMS} claims were heard of, {taken} rows are claimed");
    assert!(0 < claimed && i64::try_from(claimed).unwrap() <= taken);
}
