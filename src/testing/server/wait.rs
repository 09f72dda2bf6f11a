//! Asking again until there is an answer, or the time is up.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The pause between two questions. No outcome depends on it, only the number of questions.
pub(crate) const POLL: Duration = Duration::from_millis(2);

/// Asks until there is an answer; returns `None` if there is none in this time.
pub(crate) fn until<T, E>(time: Duration, mut ask: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        if begun.elapsed() > time {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}
