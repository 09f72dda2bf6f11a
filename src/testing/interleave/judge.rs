//! Compares the outcome of a run with those of the serial orders.

use std::{collections::BTreeMap, fmt};

use super::{
    Ended, Interleave, InterleaveError,
    anomaly::{Anomaly, Facts},
    run::Ran,
    schedule::Move,
    search::Serial,
};
use crate::{
    backend::LockingBackend as _,
    blocking::LockConnection,
    error::{Conflict, RetryClass},
    testing::server::TestBackend,
};

/// The outcome of a serial order.
pub(super) struct SerialOutcome<O> {
    pub(super) rows: O,
    pub(super) ended: Vec<Option<Ended>>,
    /// The number of statements of each session, without the local ones.
    pub(super) statements: Vec<usize>,
}

/// The outcomes of the serial orders, of all sessions or of some, each run when it is first wanted.
pub(super) struct Judge<O> {
    pub(super) serial: BTreeMap<Vec<usize>, SerialOutcome<O>>,
}

/// The part that a session had in an outcome.
enum Part {
    /// It ended by itself: its work counts, and what it returned.
    Ended,
    /// It lost against another session, and was rolled back.
    Lost(Anomaly),
    /// Nobody knows whether its work counts.
    Unknown,
}

impl<O: Eq + fmt::Debug> Judge<O> {
    /// Returns the outcome of this order of sessions.
    pub(super) fn outcome<C>(
        &mut self,
        bench: &Interleave<'_, C, O>,
        observer: &mut C,
        order: &[usize],
    ) -> Result<&SerialOutcome<O>, InterleaveError>
    where
        C: LockConnection<Backend: TestBackend>,
    {
        if !self.serial.contains_key(order) {
            let (ran, rows) = bench.once(observer, order, &mut Serial(order))?;
            let letters = |session| ran.id.chars().filter(|letter| *letter == Move::go(session).letter()).count();
            let statements = (0..ran.ended.len()).map(letters).collect();
            let outcome = SerialOutcome { rows, ended: ran.ended, statements };
            self.serial.insert(order.to_vec(), outcome);
        }
        Ok(&self.serial[order])
    }

    /// Returns the anomaly of a run, if it has one.
    pub(super) fn judge<C>(
        &mut self,
        bench: &Interleave<'_, C, O>,
        observer: &mut C,
        ran: &Ran,
        rows: &O,
    ) -> Result<Option<Anomaly>, InterleaveError>
    where
        C: LockConnection<Backend: TestBackend>,
    {
        let parts: Vec<Part> = (0..ran.ended.len()).map(|session| part(ran, session)).collect();
        let those =
            |wanted: fn(&Part) -> bool| -> Vec<usize> { (0..parts.len()).filter(|at| wanted(&parts[*at])).collect() };
        let certain = those(|part| matches!(part, Part::Ended));
        let unknown = those(|part| matches!(part, Part::Unknown));
        let same = |serial: &SerialOutcome<O>| certain.iter().all(|at| serial.ended[*at] == ran.ended[*at]);
        for more in subsets(&unknown) {
            for order in orders(&[certain.clone(), more].concat()) {
                let serial = self.outcome(bench, observer, &order)?;
                if serial.rows == *rows && same(serial) {
                    let lost = parts
                        .iter()
                        .find_map(|part| if let Part::Lost(anomaly) = part { Some(*anomaly) } else { None });
                    return Ok(lost);
                }
            }
        }
        if ran.interrupted.is_some() {
            return Ok(Some(Anomaly::NotAtomic));
        }
        for session in &certain {
            self.outcome(bench, observer, &[*session])?;
        }
        let mut rows_lack_a_session = false;
        for some in subsets(&certain).into_iter().filter(|some| some.len() < certain.len()) {
            for order in orders(&some) {
                rows_lack_a_session |= self.outcome(bench, observer, &order)?.rows == *rows;
            }
        }
        let ended = (certain.iter()).filter_map(|session| {
            Some((*session, ran.ended[*session].as_ref()?, self.serial[&vec![*session]].ended[*session].as_ref()?))
        });
        let facts = Facts {
            steps: &ran.steps,
            dialect: C::Backend::DIALECT,
            ended: ended.collect(),
            rows_lack_a_session,
            results_are_serial: orders(&certain).iter().any(|order| same(&self.serial[order])),
        };
        Ok(Some(facts.name()))
    }
}

fn part(ran: &Ran, session: usize) -> Part {
    if ran.interrupted == Some(session) {
        return Part::Unknown;
    }
    let Some(Ended::Failed(text, class)) = &ran.ended[session] else { return Part::Ended };
    let errors = ran.steps.iter().filter(|step| step.session == session).filter_map(|step| step.error.as_ref());
    let conflict = errors.filter_map(|(error, conflict)| Some((error, (*conflict)?))).next_back();
    // An error without a class still shows the message.
    let conflict = conflict.filter(|(error, _)| class.is_some() || text.contains(*error)).map(|(_, conflict)| conflict);
    match (class, conflict) {
        (Some(RetryClass::CommitUnknown), _) => Part::Unknown,
        (_, Some(Conflict::Deadlock)) => Part::Lost(Anomaly::Deadlock),
        (_, Some(Conflict::Serialization)) => Part::Lost(Anomaly::SerializationFailure),
        (_, Some(Conflict::NotAvailable)) | (Some(RetryClass::Contended | RetryClass::TimedOut), None) => {
            Part::Lost(Anomaly::LockNotAvailable)
        }
        (Some(RetryClass::Retryable), None) => Part::Lost(Anomaly::SerializationFailure),
        (None, None) => Part::Ended,
    }
}

/// Returns all orders of these sessions; one, without sessions, of none.
pub(super) fn orders(sessions: &[usize]) -> Vec<Vec<usize>> {
    if sessions.is_empty() {
        return vec![Vec::new()];
    }
    let begun_with = |at: usize| {
        let mut others = sessions.to_vec();
        let first = others.remove(at);
        orders(&others).into_iter().map(move |order| [vec![first], order].concat())
    };
    (0..sessions.len()).flat_map(begun_with).collect()
}

fn subsets(sessions: &[usize]) -> Vec<Vec<usize>> {
    sessions.iter().fold(vec![Vec::new()], |subsets, session| {
        let with = |subset: &Vec<usize>| [subset.clone(), vec![*session]].concat();
        let more: Vec<_> = subsets.iter().map(with).collect();
        [subsets, more].concat()
    })
}
