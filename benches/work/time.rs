//! Times one call beside the other side of its case.

use std::time::Instant;

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};

use crate::{median::median, shared::Result};

/// Rounds of each case. In each, both sides make a few calls, and begin in turns: the longer a round takes, the more does the machine change
/// during it.
const ROUNDS: usize = 151;

/// The number of calls of a side in a round, beside that of the calls whose instructions are counted.
const SHARE: u64 = 10;

/// The times of the calls of one case.
pub(crate) struct Times {
    /// Microseconds per transaction with one call, medians of the rounds.
    pub(crate) by_hand: f64,
    pub(crate) ours: f64,
    /// The median of the ratios of the rounds, with the lowest and the highest quartile of them.
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
    let mut ratios: Vec<f64> = rounds.iter().map(|(by_hand, ours)| ours / by_hand).collect();
    ratios.sort_by(f64::total_cmp);
    Ok(Times {
        by_hand: median(rounds.iter().map(|round| round.0)),
        ours: median(rounds.iter().map(|round| round.1)),
        ratio: [ratios[ROUNDS / 2], ratios[ROUNDS / 4], ratios[ROUNDS * 3 / 4]],
    })
}

/// Returns the microseconds of a transaction with one call, which is rolled back.
pub(crate) fn per_transaction<Conn>(
    conn: &mut Conn,
    times: u64,
    mut call: impl FnMut(&mut Conn) -> Result<()>,
) -> Result<f64>
where
    Conn: Connection<TransactionManager = AnsiTransactionManager>,
{
    let (begun, times) = (Instant::now(), times.div_ceil(SHARE));
    for _ in 0..times {
        AnsiTransactionManager::begin_transaction(conn)?;
        call(conn)?;
        AnsiTransactionManager::rollback_transaction(conn)?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / times as f64)
}
