//! What xtask itself says, always on standard error: standard output belongs to the command it runs.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

/// Prints one line.
///
/// Unlike `eprintln!` it does not panic when the terminal is gone (hang-up, closed pipe): just then the servers
/// still have to be stopped.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "xtask: {text}");
}

/// Something that takes a moment: a spinner on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct Step {
    spinner: Option<ProgressBar>,
    begun: Instant,
}

impl Step {
    pub(crate) fn begin(text: impl Display) -> Self {
        let spinner = if std::io::stderr().is_terminal() {
            let spinner = ProgressBar::new_spinner().with_message(format!("xtask: {text} ..."));
            spinner.enable_steady_tick(Duration::from_millis(100));
            Some(spinner)
        } else {
            say(format_args!("{text} ..."));
            None
        };
        Self { spinner, begun: Instant::now() }
    }

    /// Ends the step and says what came of it and how long it took.
    pub(crate) fn done(self, text: impl Display) {
        let seconds = self.begun.elapsed().as_secs_f32();
        drop(self);
        say(format_args!("{text} ({seconds:.1} s)"));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
