//! Collects the rows of a server's answer: one for each session that waits, and each session that is in its way.

use std::time::Duration;

use super::{LockKind, LockWait, LockWaits};
use crate::session::LockSession;

/// A row of an answer: a wait, and something that it shows to be hidden.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) wait: Option<FoundWait>,
    pub(crate) limit: Option<&'static str>,
}

/// A session that waits, and one of those that it waits for.
#[derive(Debug)]
pub(crate) struct FoundWait {
    pub(crate) waiter: LockSession,
    pub(crate) holder: Option<FoundHolder>,
    pub(crate) kind: LockKind,
    pub(crate) table: Option<String>,
    pub(crate) index: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) waited: Option<Duration>,
}

/// A session in the way of another one.
#[derive(Debug)]
pub(crate) struct FoundHolder {
    pub(crate) session: LockSession,
    /// True if it waits for the lock too.
    pub(crate) queued: bool,
}

impl LockWaits {
    /// Adds a row of an answer.
    pub(crate) fn add(&mut self, found: Found) {
        let Found { wait, limit } = found;
        self.limits.extend(limit.map(str::to_owned));
        if let Some(wait) = wait {
            self.add_wait(wait);
        }
    }

    /// Adds a wait. A session that waits is listed once for each lock.
    fn add_wait(&mut self, found: FoundWait) {
        let FoundWait { waiter, holder, kind, table, index, key, mode, waited } = found;
        let same =
            |wait: &LockWait| wait.waiter == waiter.id && wait.kind == kind && wait.table == table && wait.key == key;
        let place = self.waits.iter().position(same).unwrap_or_else(|| {
            let (holders, ahead, advisory_lock, waiter) = (vec![], vec![], None, waiter.id);
            self.waits.push(LockWait { waiter, holders, ahead, kind, table, index, key, advisory_lock, mode, waited });
            self.waits.len() - 1
        });
        if let Some(FoundHolder { session, queued }) = holder {
            let wait = &mut self.waits[place];
            if session.id != wait.waiter && !wait.blockers().any(|id| id == session.id) {
                if queued { wait.ahead.push(session.id) } else { wait.holders.push(session.id) }
            }
            self.add_session(session);
        }
        self.add_session(waiter);
    }

    fn add_session(&mut self, session: LockSession) {
        if self.session(session.id).is_none() {
            self.sessions.push(session);
        }
    }

    /// Puts sessions and waits in order, when all answers are there.
    pub(crate) fn sort(&mut self) {
        self.sessions.sort_by_key(|session| session.id);
        self.waits.sort_by_key(|wait| wait.waiter);
        for wait in &mut self.waits {
            wait.holders.sort_unstable();
            wait.ahead.sort_unstable();
        }
        self.limits.sort();
        self.limits.dedup();
    }
}
