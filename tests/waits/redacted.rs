//! A snapshot without what differs from run to run: numbers of sessions become numbers of actors, times and users one value.

use std::time::Duration;

use diesel_lockset::LockWaits;

/// The part of a snapshot that is about these sessions, which get the numbers from 1 on.
pub(crate) fn redacted(mut waits: LockWaits, sessions: &[i32]) -> LockWaits {
    let sessions: Vec<i64> = sessions.iter().copied().map(i64::from).collect();
    let number = |id: i64| sessions.iter().position(|session| *session == id).map_or(-id, |place| place as i64 + 1);
    let some = |age: Option<Duration>| age.map(|_| Duration::from_secs(7));
    waits.sessions.retain(|session| sessions.contains(&session.id));
    waits.waits.retain(|wait| sessions.contains(&wait.waiter));
    for session in &mut waits.sessions {
        session.id = number(session.id);
        session.user = "tester".to_owned();
        session.database = None;
        session.state_age = some(session.state_age);
        session.transaction_age = some(session.transaction_age);
    }
    for wait in &mut waits.waits {
        wait.waiter = number(wait.waiter);
        wait.holders.iter_mut().chain(&mut wait.ahead).for_each(|id| *id = number(*id));
        wait.waited = some(wait.waited);
        wait.table = wait.table.take().map(|table| table.rsplit('.').next().unwrap_or_default().replace('`', ""));
    }
    waits.sessions.sort_by_key(|session| session.id);
    waits.waits.sort_by_key(|wait| wait.waiter);
    waits.limits.clear();
    waits
}
