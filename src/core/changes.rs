//! Counts what a session has changed, where a failed transaction may be half committed.

use diesel::result::QueryResult;

use super::driver::Driver;
use crate::backend::{AdvisoryBackend, sink};

/// Returns the number of statements of the session that may have changed something; `None` where a transaction that fails is undone as a whole.
pub(crate) async fn changes<D>(driver: &mut D) -> QueryResult<Option<u64>>
where
    D: Driver<DB: AdvisoryBackend>,
{
    let Some(changes) = D::DB::LOCK_LIMIT.changes else { return Ok(None) };
    let mut sum = 0_u64;
    let read = sink(|row| {
        sum = sum.saturating_add((changes.count)(row)?);
        Ok(())
    });
    driver.rows((changes.statement)(), read).await?;
    Ok(Some(sum))
}
