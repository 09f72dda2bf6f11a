//! A model test of the locking order: runs every interleaving of two sets over four rows and looks for a deadlock.
//!
//! It needs no server. A set locks its rows in ascending order and waits for each. A row that is deleted while the set waits for it stays
//! locked, and the set does not know that it holds it. Rows that the set finds wanted after this pass come later, and may precede those of
//! the pass.

const ROWS: u8 = 4;

/// The rule for rows that a set finds wanted after its pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    /// It locks rows that are free, and gives up at one that is held.
    Tries,
    /// It waits for rows that come after all rows that it knows it holds.
    WaitsBehindTheOrder,
}

/// A set of rows as a bit mask.
type Rows = u8;

#[derive(Debug, Clone, Copy)]
struct Set {
    /// The rows that are locked first, in ascending order.
    pass: Rows,
    later: Rows,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Session {
    asked: Rows,
    held: Rows,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Waits(u8),
    Takes(u8),
    Ends,
}

impl Session {
    fn next(self, set: Set, gone: Rows, other: Session, rule: Later) -> Next {
        let first = |rows: Rows| (rows != 0).then(|| rows.trailing_zeros() as u8);
        let is_held = |row: u8| other.held & 1 << row != 0;
        if let Some(row) = first(set.pass & !self.asked) {
            return if is_held(row) { Next::Waits(row) } else { Next::Takes(row) };
        }
        let Some(row) = first(set.later & !self.asked) else { return Next::Ends };
        let known = self.held & !gone;
        let waits = rule == Later::WaitsBehindTheOrder && known >> row == 0;
        match (is_held(row), waits) {
            (false, _) => Next::Takes(row),
            (true, true) => Next::Waits(row),
            (true, false) => Next::Ends,
        }
    }

    fn after(mut self, next: Next) -> Option<Session> {
        match next {
            Next::Waits(_) => return None,
            Next::Takes(row) => (self.asked, self.held) = (self.asked | 1 << row, self.held | 1 << row),
            Next::Ends => self = Session { ended: true, ..Session::default() },
        }
        Some(self)
    }
}

/// Returns whether the two sets can wait for each other in some interleaving of their steps.
fn can_wait_in_a_circle(sets: [Set; 2], gone: Rows, rule: Later) -> bool {
    let (mut seen, mut open) = (std::collections::HashSet::new(), vec![[Session::default(); 2]]);
    while let Some(sessions) = open.pop() {
        if !seen.insert(sessions) {
            continue;
        }
        let next = [0, 1].map(|i| sessions[i].next(sets[i], gone, sessions[1 - i], rule));
        if let ([Next::Waits(_), Next::Waits(_)], [false, false]) = (next, sessions.map(|session| session.ended)) {
            return true;
        }
        for i in [0, 1].into_iter().filter(|i| !sessions[*i].ended) {
            if let Some(session) = sessions[i].after(next[i]) {
                let mut sessions = sessions;
                sessions[i] = session;
                open.push(sessions);
            }
        }
    }
    false
}

/// Counts the deadlocks over all pairs of sets and all sets of deleted rows.
fn circles(rule: Later) -> usize {
    let all = 1 << ROWS;
    let sets =
        || (1..all).flat_map(|pass| (0..all).filter(move |later| later & pass == 0).map(move |later| (pass, later)));
    let sets = || sets().map(|(pass, later)| Set { pass, later });
    let pairs = sets().flat_map(|one| sets().map(move |other| [one, other]));
    pairs
        .flat_map(|pair| (0..all).map(move |gone| (pair, gone)))
        .filter(|(pair, gone)| can_wait_in_a_circle(*pair, *gone, rule))
        .count()
}

#[test]
fn two_sets_that_wait_in_one_pass_only_never_wait_in_a_circle() {
    assert_eq!(circles(Later::Tries), 0);
}

/// The rule of an earlier version of the crate.
#[test]
fn to_wait_behind_the_order_for_what_comes_later_can_close_a_circle() {
    assert_ne!(circles(Later::WaitsBehindTheOrder), 0);
}
