//! The tree of a snapshot: sessions that block others first, below each of them those that wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{LockWait, LockWaits, text};
use crate::session::LockSession;

impl fmt::Display for LockWaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: BTreeSet<i32> = self.waits.iter().map(|wait| wait.waiter).collect();
        match waiting.len() {
            0 if self.limits.is_empty() => f.write_str("no session waits for a lock")?,
            0 => f.write_str("no session is seen to wait for a lock")?,
            1 => f.write_str("1 session waits for a lock")?,
            more => write!(f, "{more} sessions wait for a lock")?,
        }
        let mut tree = Tree { waits: self, below: below(self), seen: BTreeSet::new() };
        for root in self.roots() {
            tree.branch(f, root.id, "", "")?;
        }
        // Sessions whose holders are not reported.
        for wait in self.waits.iter().filter(|wait| wait.blockers().next().is_none()) {
            tree.branch(f, wait.waiter, "", "")?;
        }
        for id in waiting {
            if !tree.seen.contains(&id) {
                f.write_str("\na circle of waits:")?;
                tree.branch(f, id, "", "")?;
            }
        }
        self.limits.iter().try_for_each(|limit| write!(f, "\nnot seen: {}", text::one_line(limit)))
    }
}

/// Returns the sessions that are shown below each session: those that wait for it. A session that waits for several is shown below one of
/// them, preferably one that holds the lock, and is not only ahead.
fn below(waits: &LockWaits) -> BTreeMap<i32, Vec<&LockWait>> {
    let mut below: BTreeMap<i32, Vec<&LockWait>> = BTreeMap::new();
    let mut placed = BTreeSet::new();
    for wait in &waits.waits {
        if let Some(first) = wait.blockers().next() {
            if placed.insert(wait.waiter) {
                below.entry(first).or_default().push(wait);
            }
        }
    }
    below
}

struct Tree<'w> {
    waits: &'w LockWaits,
    below: BTreeMap<i32, Vec<&'w LockWait>>,
    seen: BTreeSet<i32>,
}

impl Tree<'_> {
    /// Writes a session and those below it. `first` stands in front of its first line, `rest` in front of the others.
    fn branch(&mut self, f: &mut fmt::Formatter<'_>, id: i32, first: &str, rest: &str) -> fmt::Result {
        if !self.seen.insert(id) {
            return write!(f, "\n{first}session {id}, as above");
        }
        let unknown = LockSession { id, ..LockSession::default() };
        let session = self.waits.session(id).unwrap_or(&unknown);
        write!(f, "\n{first}{}", text::who(session))?;
        let waits: Vec<_> = self.waits.waits.iter().filter(|wait| wait.waiter == id).collect();
        if waits.is_empty() {
            write!(f, " {}", text::state(session))?;
        } else {
            for wait in &waits {
                write!(f, " {}", text::wait(wait))?;
                also(f, wait)?;
            }
            f.write_str(&text::transaction(session))?;
        }
        let below = self.below.remove(&id).unwrap_or_default();
        if let Some(statement) = &session.statement {
            let does = if waits.is_empty() && session.is_idle_in_transaction() { "last" } else { "runs" };
            let bar = if below.is_empty() { "  " } else { "│ " };
            write!(f, "\n{rest}{bar}{does}: {}", text::statement(statement))?;
        }
        for (number, wait) in below.iter().enumerate() {
            let (corner, bar) = if number + 1 == below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.branch(f, wait.waiter, &format!("{rest}{corner}"), &format!("{rest}{bar}"))?;
        }
        Ok(())
    }
}

/// Writes the other sessions that a session waits for: the first one is the one that it is shown below.
fn also(f: &mut fmt::Formatter<'_>, wait: &LockWait) -> fmt::Result {
    let list = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    let (holders, ahead) = match (&wait.holders[..], &wait.ahead[..]) {
        ([_, holders @ ..], ahead) => (holders, ahead),
        ([], [_, ahead @ ..]) => (&[][..], ahead),
        ([], []) => return f.write_str(", held by a session that is not reported"),
    };
    if !holders.is_empty() {
        write!(f, ", also held by {}", list(holders))?;
    }
    if !ahead.is_empty() {
        write!(f, ", behind {}", list(ahead))?;
    }
    Ok(())
}
