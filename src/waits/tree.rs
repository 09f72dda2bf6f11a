//! The tree of a snapshot: sessions that block others first, below each of them those that wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{LockWait, LockWaits, text};
use crate::session::LockSession;

impl fmt::Display for LockWaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: BTreeSet<i64> = self.waits.iter().map(|wait| wait.waiter).collect();
        match waiting.len() {
            0 if self.limits.is_empty() => f.write_str("no session waits for a lock")?,
            0 => f.write_str("no session is seen to wait for a lock")?,
            1 => f.write_str("1 session waits for a lock")?,
            more => write!(f, "{more} sessions wait for a lock")?,
        }
        let mut tree = Tree { waits: self, below: below(self), seen: BTreeSet::new() };
        for root in self.roots() {
            tree.write(f, root.id)?;
        }
        // Sessions whose holders are not reported.
        for wait in self.waits.iter().filter(|wait| wait.blockers().next().is_none()) {
            tree.write(f, wait.waiter)?;
        }
        for id in waiting {
            if !tree.seen.contains(&id) {
                f.write_str("\na circle of waits:")?;
                tree.write(f, id)?;
            }
        }
        self.limits.iter().try_for_each(|limit| write!(f, "\nnot seen: {}", text::one_line(limit)))
    }
}

/// Returns the sessions that are shown below each session: those that wait for it. A session that waits for several is shown below one of
/// them, preferably one that holds the lock, and is not only ahead.
fn below(waits: &LockWaits) -> BTreeMap<i64, Vec<&LockWait>> {
    let mut below: BTreeMap<i64, Vec<&LockWait>> = BTreeMap::new();
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

/// The depth from which on branches are not indented further.
const DEEPEST: usize = 30;

struct Tree<'w> {
    waits: &'w LockWaits,
    below: BTreeMap<i64, Vec<&'w LockWait>>,
    seen: BTreeSet<i64>,
}

/// A session that is still to be written: `first` stands in front of its first line, `rest` in front of the others.
struct Branch {
    id: i64,
    first: String,
    rest: String,
    depth: usize,
}

impl Tree<'_> {
    /// Writes a session and all sessions below it. A list keeps those that are to be written: a chain may be long.
    fn write(&mut self, f: &mut fmt::Formatter<'_>, root: i64) -> fmt::Result {
        let mut branches = vec![Branch { id: root, first: String::new(), rest: String::new(), depth: 0 }];
        while let Some(Branch { id, first, rest, depth }) = branches.pop() {
            if !self.seen.insert(id) {
                write!(f, "\n{first}session {id}, as above")?;
                continue;
            }
            let below = self.below.remove(&id).unwrap_or_default();
            self.session(f, id, &first, &format!("{rest}{}", if below.is_empty() { "  " } else { "│ " }))?;
            for (number, wait) in below.iter().enumerate().rev() {
                let (corner, bar) = match (depth < DEEPEST, number + 1 == below.len()) {
                    (true, true) => ("└─ ", "   "),
                    (true, false) => ("├─ ", "│  "),
                    (false, _) => ("└─ ", ""),
                };
                let (first, rest) = (format!("{rest}{corner}"), format!("{rest}{bar}"));
                branches.push(Branch { id: wait.waiter, first, rest, depth: depth + 1 });
            }
        }
        Ok(())
    }

    /// Writes what a session does or waits for.
    fn session(&self, f: &mut fmt::Formatter<'_>, id: i64, first: &str, rest: &str) -> fmt::Result {
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
        let Some(statement) = &session.statement else { return Ok(()) };
        let does = if waits.is_empty() && session.is_idle_in_transaction() { "last" } else { "runs" };
        write!(f, "\n{rest}{does}: {}", text::statement(statement))
    }
}

/// Writes the other sessions that a session waits for: the first one is the one that it is shown below.
fn also(f: &mut fmt::Formatter<'_>, wait: &LockWait) -> fmt::Result {
    let list = |ids: &[i64]| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
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
