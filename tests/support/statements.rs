//! The statements that a connection sends, overheard through Diesel's instrumentation.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use diesel::connection::{Instrumentation, InstrumentationEvent};

/// What was sent since the last look, in order, `BEGIN` and `SAVEPOINT` included.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    /// What to give to the connection: `conn.set_instrumentation(statements.listener())`.
    pub(crate) fn listener(&self) -> impl Instrumentation {
        let heard = self.clone();
        move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                heard.lines().push(query.to_string());
            }
        }
    }

    /// The statements so far; the next look begins after them.
    pub(crate) fn take(&self) -> Vec<String> {
        mem::take(&mut self.lines())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::support::{
        arena::Arena,
        driver::{Blocking, Pooled, Session},
    };

    fn hears<S: Session>(arena: &Arena) {
        let mut session = S::connect(arena.url());
        let sent = session.overhear();
        session.begin().expect("begins");
        session.execute("SELECT 1").expect("selects");
        session.rollback().expect("rolls back");
        assert_eq!(sent.take(), ["BEGIN", "SELECT 1 -- binds: []", "ROLLBACK"]);
        assert!(sent.take().is_empty());
    }

    #[test]
    fn everything_that_is_sent_is_heard() {
        let arena = Arena::new();
        hears::<Blocking>(&arena);
        hears::<Pooled>(&arena);
    }
}
