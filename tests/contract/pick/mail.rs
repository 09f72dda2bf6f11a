//! The jobs of the fixtures, and sessions that take them.

use diesel::prelude::*;

use super::{Driver, verbs};
use crate::support::{
    driver::Session,
    models::Job,
    schema::jobs::{self, dsl},
};

/// What a worker of the mail queue wants next. Of the fixtures these are the jobs 4, 3, 2, 1, in this order.
#[diesel::dsl::auto_type]
pub(in super::super) fn new_mail() -> _ {
    dsl::jobs.filter(jobs::queue.eq("mail")).filter(jobs::status.eq("NEW")).order((jobs::priority, jobs::id))
}

pub(super) fn ids(jobs: &[Job]) -> Vec<i64> {
    jobs.iter().map(|job| job.id).collect()
}

/// Begins and picks the next job.
pub(super) fn begin_and_pick(s: &mut Driver) -> Option<i64> {
    s.begin().unwrap();
    pick_id(s)
}

pub(super) fn pick_id(s: &mut Driver) -> Option<i64> {
    use verbs::PickDsl;
    let job: Option<Job> = new_mail().pick_next(s.conn()).unwrap();
    job.map(|job| job.id)
}
