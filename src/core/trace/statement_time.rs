//! The time that a connection spends in statements.

use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};

use crate::core::driver::Driver;

/// An instrumentation that adds up the time that a connection spends in statements.
///
/// With it, the event `locks were held long` has the field `idle_ms`: the part of the time in which the transaction held its locks and sent
/// nothing. That is the time of the program, of a call to another service, or of a future that nobody polls. Without it this time is not
/// known: the crate does not see the statements of the application.
///
/// It takes the time twice for each statement, and sends nothing.
///
/// # Example: all connections of an application
///
/// ```
/// use diesel::connection::{Instrumentation, set_default_instrumentation};
/// use diesel_lockset::events::StatementTime;
///
/// let measure = || -> Option<Box<dyn Instrumentation>> {
///     Some(Box::new(StatementTime::new()))
/// };
/// set_default_instrumentation(measure).unwrap();
/// # set_default_instrumentation(|| None).unwrap();
/// ```
#[derive(Default)]
pub struct StatementTime {
    ended: Duration,
    /// The beginning of the statement that is under way.
    began: Option<Instant>,
    other: Option<Box<dyn Instrumentation>>,
}

impl StatementTime {
    /// Returns an instrumentation for one connection, for
    /// [`set_instrumentation`](diesel::connection::Connection::set_instrumentation).
    #[must_use]
    pub fn new() -> Self {
        StatementTime::default()
    }

    /// Returns one that calls another instrumentation as well.
    #[must_use]
    pub fn and(other: impl Instrumentation) -> Self {
        StatementTime { other: Some(Box::new(other)), ..StatementTime::default() }
    }

    /// Returns the time so far on this connection, if it is measured.
    pub(super) fn of<D: Driver>(driver: &mut D) -> Option<Duration> {
        let measured = driver.instrumentation().downcast_ref::<Self>()?;
        Some(measured.ended + measured.began.map_or(Duration::ZERO, |began| began.elapsed()))
    }
}

impl Instrumentation for StatementTime {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match &event {
            // After a future that was dropped, the statement before has no end.
            InstrumentationEvent::StartQuery { .. } => self.began = Some(Instant::now()),
            InstrumentationEvent::FinishQuery { .. } => {
                self.ended += self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
            }
            _ => {}
        }
        if let Some(other) = &mut self.other {
            other.on_connection_event(event);
        }
    }
}

impl std::fmt::Debug for StatementTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatementTime").field("ended", &self.ended).finish_non_exhaustive()
    }
}
