//! Every way in which two sets can meet over a few rows: do they ever wait for each other?
//!
//! A model of the rule, without a server. A set locks its rows in ascending order and waits for each. A row that goes away while it is
//! waited for stays locked, and the set does not know it. What a set finds wanted when it has been through its rows comes later, in any
//! order.

const ROWS: u8 = 4;

/// What a set does about rows that it finds wanted later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    /// It takes those that are free, and gives up at one that is not.
    Tries,
    /// It waits for those that come behind all rows that it knows to hold.
    WaitsBehindTheOrder,
}

/// Rows as bits.
type Rows = u8;

#[derive(Debug, Clone, Copy)]
struct Set {
    /// In ascending order.
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

/// Whether the two sets can come to wait for each other, in any order of their steps.
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

/// All pairs of sets over all rows, with all rows that may go away; how many of them can wait in a circle.
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

/// What the crate did before.
#[test]
fn to_wait_behind_the_order_for_what_comes_later_can_close_a_circle() {
    assert_ne!(circles(Later::WaitsBehindTheOrder), 0);
}
