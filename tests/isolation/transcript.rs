//! What happened in a play, line by line: the message of a test that fails, and a text to compare.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Lines in the order in which they were written, by any thread.
#[derive(Debug, Default)]
pub(crate) struct Transcript(Mutex<Vec<String>>);

/// No line is longer: a result may be a thousand rows.
const LONGEST: usize = 300;

impl Transcript {
    pub(crate) fn note(&self, line: impl Into<String>) {
        let mut line = line.into();
        if let Some((end, _)) = line.char_indices().nth(LONGEST) {
            line.truncate(end);
            line.push_str("..");
        }
        self.lines().push(line);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Compares a text with the one expected, line by line, without the indentation that it has in the source.
#[track_caller]
pub(crate) fn assert_text(actual: impl fmt::Display, expected: &str) {
    let lines = |text: &str| text.trim().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let actual = actual.to_string();
    assert!(lines(&actual) == lines(expected), "\n--- it is\n{}\n--- it should be\n{}\n", actual, expected.trim());
}

#[cfg(test)]
mod tests {
    use super::{Transcript, assert_text};

    #[test]
    fn long_lines_are_cut() {
        let transcript = Transcript::default();
        transcript.note("a");
        transcript.note("ä".repeat(1000));
        assert_text(&transcript, &format!("a\n    {}..", "ä".repeat(300)));
    }
}
