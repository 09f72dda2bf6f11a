//! The next free row: `pick_next`, `pick` and `claim`, one session at a time or a few of them, step by step.

use diesel::prelude::*;

use super::{Arena, Driver, quoted, verbs};
use crate::support::{
    driver::Session,
    models::Job,
    schema::jobs::{self, dsl},
};

mod claim;
mod cost;
mod exactly_once;
mod joined;
mod order;
mod refused;
mod strengths;
mod workers;

/// What a worker of the mail queue wants next. Of the fixtures these are the jobs 4, 3, 2, 1, in this order.
#[diesel::dsl::auto_type]
fn new_mail() -> _ {
    dsl::jobs.filter(jobs::queue.eq("mail")).filter(jobs::status.eq("NEW")).order((jobs::priority, jobs::id))
}

fn ids(jobs: &[Job]) -> Vec<i64> {
    jobs.iter().map(|job| job.id).collect()
}

/// Begins and picks the next job.
fn begin_and_pick(s: &mut Driver) -> Option<i64> {
    s.begin().unwrap();
    pick_id(s)
}

fn pick_id(s: &mut Driver) -> Option<i64> {
    use super::verbs::PickDsl;
    let job: Option<Job> = new_mail().pick_next(s.conn()).unwrap();
    job.map(|job| job.id)
}
