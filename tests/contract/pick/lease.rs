//! `claim` for a time: intervals, in words of the servers.

use diesel::prelude::*;

use super::{Arena, Driver, ids, verbs::PickDsl};
use crate::support::{driver::Session, schema::jobs};

/// J09.
#[test]
fn a_lease_that_ran_out_is_claimed_again() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let leased = || jobs::table.filter(jobs::status.ne("DONE")).filter(jobs::run_at.le(diesel::dsl::now));
    let lease = |interval: &str| {
        diesel::dsl::sql::<diesel::sql_types::Timestamp>(&format!("CURRENT_TIMESTAMP + INTERVAL {interval}"))
    };
    let next = |s: &mut Driver, interval: &str| -> Vec<i64> {
        ids(&leased().order(jobs::priority).claim(1, jobs::run_at.eq(lease(interval)), s.conn()).unwrap())
    };
    assert_eq!(next(&mut session, "'1' HOUR"), [4]);
    assert_eq!(next(&mut session, "'1' HOUR"), [3], "4 is leased");
    arena.execute("UPDATE jobs SET run_at = run_at - INTERVAL '2' HOUR WHERE id = 4");
    assert_eq!(next(&mut session, "'1' HOUR"), [4], "its worker is gone");
}
