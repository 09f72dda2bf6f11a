//! The names of outcomes that no serial order has, where they can be told from the statements and the results.

use std::fmt;

use super::{Ended, schedule::Step};
use crate::{
    sql::Dialect,
    testing::statement::{Statement, Verb},
};

/// The kind of a [`Finding`](super::Finding).
///
/// The names of outcomes are told from the texts of the statements and from the results, and help a reader. That the outcome is that of no
/// serial order does not depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Anomaly {
    /// A session overwrote what another one had changed since it was read.
    LostUpdate,
    /// Two sessions decided by rows that the other one changed, and changed different rows.
    WriteSkew,
    /// Two sessions picked the same row.
    DoubleClaim,
    /// The sessions together changed one row in a way that each of them may only change it alone.
    Oversell,
    /// An [invariant](super::Interleave::invariant) does not hold, whether a serial order has that outcome or not.
    BrokenInvariant,
    /// The outcome is that of no serial order, and has no other name.
    NotSerializable,
    /// A session was killed, or the answer to its `COMMIT` was lost, and a part of its work is there, or more than its work.
    NotAtomic,
    /// A closure returned the error of a deadlock. The outcome is that of a serial order without it.
    Deadlock,
    /// A closure returned the error of a serialization failure. The outcome is that of a serial order without it.
    SerializationFailure,
    /// A closure returned an error because it did not get a lock at once or in time. The outcome is that of a serial order without it.
    LockNotAvailable,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Anomaly::LostUpdate => "lost update",
            Anomaly::WriteSkew => "write skew",
            Anomaly::DoubleClaim => "double claim",
            Anomaly::Oversell => "oversell",
            Anomaly::BrokenInvariant => "broken invariant",
            Anomaly::NotSerializable => "an outcome of no serial order",
            Anomaly::NotAtomic => "a part of the work of an interrupted session, or more than its work",
            Anomaly::Deadlock => "deadlock",
            Anomaly::SerializationFailure => "serialization failure",
            Anomaly::LockNotAvailable => "lock not available",
        })
    }
}

/// The facts about an outcome that no serial order has.
pub(super) struct Facts<'f> {
    pub(super) steps: &'f [Step],
    pub(super) dialect: &'static Dialect,
    /// The sessions that ended without a conflict, with their ends, and what they return if they run alone.
    pub(super) ended: Vec<(usize, &'f Ended, &'f Ended)>,
    /// The rows are those of a serial order without some of these sessions.
    pub(super) rows_lack_a_session: bool,
    /// The results are those of a serial order.
    pub(super) results_are_serial: bool,
}

/// A statement that reads or changes rows.
struct Access {
    session: usize,
    statement: Statement,
    at: usize,
    /// The step from which on others see its changes: the next `COMMIT` of its session, or the step itself outside of a transaction.
    seen_from: usize,
}

impl Facts<'_> {
    pub(super) fn name(&self) -> Anomaly {
        let accesses = self.accesses();
        let picked_alike = !self.results_are_serial && self.alike() && self.all_pick(&accesses);
        let as_if_alone = !self.results_are_serial && self.ended.iter().all(|(_, ended, alone)| ended == alone);
        let same_row = self.write_one_row(&accesses);
        match () {
            () if picked_alike => Anomaly::DoubleClaim,
            () if self.rows_lack_a_session && same_row => Anomaly::LostUpdate,
            () if as_if_alone && same_row => Anomaly::Oversell,
            () if overwrites(&accesses) => Anomaly::LostUpdate,
            () if crosses(&accesses) => Anomaly::WriteSkew,
            () => Anomaly::NotSerializable,
        }
    }

    fn accesses(&self) -> Vec<Access> {
        let read = |step: &Step| {
            (step.session, step.error.is_none() && step.fault.is_none(), Statement::read(&step.sql, self.dialect))
        };
        let steps: Vec<_> = self.steps.iter().map(read).collect();
        let seen_from = |at: usize| {
            let in_session = |other: &usize| steps[*other].0 == steps[at].0;
            let is = |other: usize, verbs: &[Verb]| verbs.contains(&steps[other].2.verb);
            let ends = [Verb::Commit, Verb::Rollback];
            let begun = (0..at).rev().filter(in_session).find(|other| is(*other, &[ends[0], ends[1], Verb::Begin]));
            let end = (at..steps.len()).filter(in_session).find(|other| is(*other, &ends));
            if begun.is_some_and(|begun| is(begun, &[Verb::Begin])) { end.unwrap_or(usize::MAX) } else { at }
        };
        let accesses = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];
        let done =
            steps.iter().enumerate().filter(|(_, (_, done, statement))| *done && accesses.contains(&statement.verb));
        done.map(|(at, (session, _, statement))| Access {
            session: *session,
            statement: statement.clone(),
            at,
            seen_from: seen_from(at),
        })
        .collect()
    }

    /// Two sessions returned the same value, which names something.
    fn alike(&self) -> bool {
        let tells = |ended: &Ended| matches!(ended, Ended::Ok(value) if value.contains(|c: char| c.is_ascii_digit()));
        let values: Vec<_> = self.ended.iter().map(|(_, ended, _)| *ended).filter(|ended| tells(ended)).collect();
        values.iter().enumerate().any(|(at, value)| values[..at].contains(value))
    }

    fn all_pick(&self, accesses: &[Access]) -> bool {
        let picks = |session| accesses.iter().any(|access| access.session == session && access.statement.picks());
        self.ended.len() > 1 && self.ended.iter().all(|(session, ..)| picks(*session))
    }

    fn write_one_row(&self, accesses: &[Access]) -> bool {
        pairs(accesses).any(|(one, other)| same_row(one, other))
    }
}

fn pairs(accesses: &[Access]) -> impl Iterator<Item = (&Access, &Access)> {
    let pairs = accesses.iter().enumerate().flat_map(|(at, one)| accesses[..at].iter().map(move |other| (other, one)));
    pairs.filter(|(one, other)| one.session != other.session)
}

/// Both change rows of one table that the same condition picks.
fn same_row(one: &Access, other: &Access) -> bool {
    let (one, other) = (&one.statement, &other.statement);
    one.written_table().is_some()
        && one.written_table() == other.written_table()
        && one.condition() == other.condition()
}

/// A session reads a table, then another one's change of a row there is committed, and the first one changes the same row.
fn overwrites(accesses: &[Access]) -> bool {
    pairs(accesses).any(|(between, last)| {
        let reads = |read: &Access| read.session == last.session && read.at < last.at && depends(read, between);
        same_row(between, last) && accesses.iter().any(reads)
    })
}

/// Of two sessions each reads what the other one's change is committed to later.
fn crosses(accesses: &[Access]) -> bool {
    let misses = |reader: usize, writer: usize| {
        let write = |write: &&Access| write.session == writer;
        accesses
            .iter()
            .filter(write)
            .any(|write| accesses.iter().any(|read| read.session == reader && depends(read, write)))
    };
    pairs(accesses).any(|(one, other)| misses(one.session, other.session) && misses(other.session, one.session))
}

/// The reader does not see what the writer changes.
fn depends(reader: &Access, writer: &Access) -> bool {
    let table = writer.statement.written_table();
    reader.at < writer.seen_from && table.is_some_and(|table| reader.statement.read_tables().contains(&table))
}
