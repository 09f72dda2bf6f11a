//! Waiting for something to become true: asked again and again, given up after a generous time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before the test counts as hung.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The pause between two questions. Only how often is asked depends on it, never an outcome.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Asks until there is an answer. `None` after [`DEADLINE`].
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if begin.elapsed() > DEADLINE {
            return None;
        }
        thread::sleep(POLL);
    }
}
