//! Instances as somebody loaded them long ago: only their keys are true.

use diesel_lockset::Locked;

use crate::support::models::{Account, AccountSummary, Event, Job, Seat, Tag};

pub(crate) fn account(id: i32) -> Account {
    Account { id, owner: "stale".into(), balance: -1, v: -1 }
}

pub(crate) fn accounts(ids: impl IntoIterator<Item = i32>) -> Vec<Account> {
    ids.into_iter().map(account).collect()
}

pub(crate) fn summary(id: i32) -> AccountSummary {
    AccountSummary { id, balance: -1 }
}

pub(crate) fn job(id: i64) -> Job {
    let run_at = chrono::DateTime::UNIX_EPOCH.naive_utc();
    let [queue, status, payload] = ["stale", "STALE", "stale"].map(str::to_owned);
    Job { id, queue, status, priority: -1, run_at, attempts: -1, payload }
}

pub(crate) fn seat(section: &str, number: i32) -> Seat {
    Seat { section: section.into(), number, holder: Some("stale".into()) }
}

pub(crate) fn tag(name: &str) -> Tag {
    Tag { name: name.into(), uses: -1 }
}

pub(crate) fn event(id: i64, region: &str) -> Event {
    Event { id, region: region.into(), note: "stale".into() }
}

/// The keys of the accounts that came back, in the order in which they did.
pub(crate) fn account_ids(locked: &Locked) -> Vec<i32> {
    locked.rows::<Account>().iter().map(|account| account.id).collect()
}

/// The keys of the jobs that came back, in the order in which they did.
pub(crate) fn job_ids(locked: &Locked) -> Vec<i64> {
    locked.rows::<Job>().iter().map(|job| job.id).collect()
}

/// The keys of the seats that came back, in the order in which they did.
pub(crate) fn seat_keys(locked: &Locked) -> Vec<(&str, i32)> {
    locked.rows::<Seat>().iter().map(|seat| (&*seat.section, seat.number)).collect()
}
