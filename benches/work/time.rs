//! Times one call beside the other side of its case.

use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};

use crate::{median::median, shared::Result};

/// Rounds of each case. In each, one side makes all its calls and then the other; the sides begin in turns.
const ROUNDS: usize = 15;

/// The times of the calls of one case.
pub(crate) struct Times {
    /// Microseconds per call, medians of the rounds.
    pub(crate) by_hand: f64,
    pub(crate) ours: f64,
    /// The median of the ratios of the rounds, with the lowest and the highest of them.
    pub(crate) ratio: [f64; 3],
}

/// Runs both sides in turns. Each returns the microseconds of one call.
pub(crate) fn in_turns(mut side: impl FnMut(bool) -> Result<f64>) -> Result<Times> {
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let first = round % 2 == 0;
        let (one, other) = (side(first)?, side(!first)?);
        let (ours, by_hand) = if first { (one, other) } else { (other, one) };
        // The first round warms up.
        if round > 0 {
            rounds.push((by_hand, ours));
        }
    }
    let ratios = || rounds.iter().map(|(by_hand, ours)| ours / by_hand);
    Ok(Times {
        by_hand: median(rounds.iter().map(|round| round.0)),
        ours: median(rounds.iter().map(|round| round.1)),
        ratio: [median(ratios()), ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max)],
    })
}

/// Returns the microseconds of one call. Each call has a transaction of its own, whose begin and rollback are not counted.
pub(crate) fn per_call<Conn>(conn: &mut Conn, times: u64, mut call: impl FnMut(&mut Conn) -> Result<()>) -> Result<f64>
where
    Conn: Connection<TransactionManager = AnsiTransactionManager>,
{
    let mut total = Duration::ZERO;
    for _ in 0..times {
        AnsiTransactionManager::begin_transaction(conn)?;
        let begun = Instant::now();
        call(conn)?;
        total += begun.elapsed();
        AnsiTransactionManager::rollback_transaction(conn)?;
    }
    Ok(total.as_secs_f64() * 1e6 / times as f64)
}
