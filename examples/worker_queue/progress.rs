//! What is seen while the crew works: a bar on a terminal, a line at the start and at the end elsewhere; on standard error,
//! since standard output is for the result.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{shared::Result, tally::Tally};

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    title: String,
}

impl Progress {
    pub(crate) fn begin(title: String, jobs: u64) -> Result<Self> {
        if !std::io::stderr().is_terminal() {
            eprintln!("{title} ...");
            return Ok(Progress { bar: None, title });
        }
        let style = ProgressStyle::with_template("{prefix:<12} [{bar:30}] {pos}/{len}, {msg}")?.progress_chars("=> ");
        Ok(Progress { bar: Some(ProgressBar::new(jobs).with_style(style).with_prefix(title.clone())), title })
    }

    pub(crate) fn show(&self, tally: &Tally) {
        if let Some(bar) = &self.bar {
            bar.set_position((tally.done + tally.dead) as u64);
            bar.set_message(format!("{} failed tries, {} dead, {} kills", tally.again, tally.dead, tally.kills));
        }
    }

    pub(crate) fn end(self, tally: &Tally) {
        self.show(tally);
        match self.bar {
            Some(bar) => bar.abandon(), // as it is: it may not be full
            // A worker that is killed after its commit has no time to report it.
            None => {
                eprintln!("{}: {} reported done, {} dead, {} kills", self.title, tally.done, tally.dead, tally.kills)
            }
        }
    }
}
