//! The thread of one session: its connection stops in front of each statement, and tells what becomes of it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender},
};

use diesel::connection::{Instrumentation, InstrumentationEvent, get_default_instrumentation};

use super::{Action, Ended, Fallible};
use crate::{blocking::LockConnection, error::Conflict, testing::server::TestBackend};

/// A message of a session.
pub(super) enum Event {
    /// The session has a connection, with this number of the server's.
    Connected(i64),
    NotConnected(String),
    /// It stands in front of this statement.
    Parked(String),
    /// Its statement has failed.
    Failed(String, Option<Conflict>),
    Ended(Ended),
}

/// The line from a session to the scheduler.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) session: usize,
    pub(super) events: Sender<(usize, Event)>,
}

impl Line {
    fn tell(&self, event: Event) {
        // Nobody listens any more after an error of the scheduler.
        let _ = self.events.send((self.session, event));
    }
}

/// Stops the connection in front of each statement until the scheduler lets it go on. Without a scheduler it does not stop.
struct Gate {
    line: Line,
    go: Receiver<()>,
    /// The user's own instrumentation.
    inner: Option<Box<dyn Instrumentation>>,
    open: bool,
}

impl Instrumentation for Gate {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match &event {
            InstrumentationEvent::StartQuery { query, .. } if !self.open => {
                self.line.tell(Event::Parked(query.to_string()));
                self.open = self.go.recv().is_err();
            }
            InstrumentationEvent::FinishQuery { error: Some(error), .. } if !self.open => {
                self.line.tell(Event::Failed(error.to_string(), Conflict::of(error)));
            }
            _ => {}
        }
        if let Some(inner) = &mut self.inner {
            inner.on_connection_event(event);
        }
    }
}

/// Runs a session to its end. The connection is closed when the scheduler gives its line up.
pub(super) fn run<C>(
    url: &str,
    prepare: &Fallible<'_, C>,
    action: &Action<'_, C>,
    line: Line,
    go: Receiver<()>,
    end: &Receiver<()>,
) where
    C: LockConnection<Backend: TestBackend>,
{
    let (mut conn, number) = match connect(url, prepare) {
        Ok(connected) => connected,
        Err(error) => return line.tell(Event::NotConnected(error)),
    };
    line.tell(Event::Connected(number));
    let inner = get_default_instrumentation();
    conn.set_instrumentation(Gate { line: line.clone(), go, inner, open: false });
    let ended = catch_unwind(AssertUnwindSafe(|| action(&mut conn)));
    line.tell(Event::Ended(ended.unwrap_or_else(|panic| Ended::Panicked(message(&*panic)))));
    let _ = end.recv();
}

fn connect<C: LockConnection<Backend: TestBackend>>(url: &str, prepare: &Fallible<'_, C>) -> Result<(C, i64), String> {
    let mut conn = C::establish(url).map_err(|error| error.to_string())?;
    C::Backend::tune(&mut conn);
    prepare(&mut conn).map_err(|error| error.to_string())?;
    let number = C::Backend::session(&mut conn).map_err(|error| error.to_string())?;
    Ok((conn, number))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}
