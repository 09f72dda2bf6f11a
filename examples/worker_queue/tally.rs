//! What was heard of the workers.

use std::time::Duration;

use crate::queue::Outcome;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    pub(crate) again: usize,
    pub(crate) dead: usize,
    pub(crate) lost: usize,
    pub(crate) kills: usize,
    /// Workers that were killed, and the job that each had taken and had not reported as ended.
    pub(crate) in_hand: Vec<(String, i64)>,
    /// From the beginning until the last job ended.
    pub(crate) time: Duration,
}

impl Tally {
    pub(crate) fn count(&mut self, outcome: Outcome, time: Duration) {
        self.time = time;
        *match outcome {
            Outcome::Done => &mut self.done,
            Outcome::Again => &mut self.again,
            Outcome::Dead => &mut self.dead,
            Outcome::Lost => &mut self.lost,
        } += 1;
    }
}
