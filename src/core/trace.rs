//! Spans and events of `tracing`, with the feature of that name. Without it nothing of this is compiled: the types are empty.
//!
//! No event above the level `DEBUG` has a value of a key.

#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod on;

#[cfg(feature = "tracing")]
pub(super) use self::counted::Counted;
#[cfg(not(feature = "tracing"))]
pub(super) use self::off::{Call, Held, gave_up, locked, retry, rows, step_back};
#[cfg(feature = "tracing")]
pub(super) use self::on::{Call, Held, gave_up, locked, retry, rows, step_back};
#[cfg(feature = "tracing")]
pub use self::{
    on::{set_long_hold, set_long_wait},
    statement_time::StatementTime,
};

#[cfg(feature = "tracing")]
mod counted;
#[cfg(feature = "tracing")]
mod statement_time;

/// Runs the body of a call in its span, with the driver replaced by one that counts statements.
#[cfg(feature = "tracing")]
macro_rules! traced {
    ($driver:ident, $call:expr, $body:expr) => {{
        let call = $call;
        let (span, mut counted) = (call.span(), $crate::core::trace::Counted::new($driver));
        let $driver = &mut counted;
        let outcome = tracing::Instrument::instrument(async { $body }, span).await;
        if outcome.is_ok() {
            $crate::core::trace::locked($driver);
        }
        call.end(counted.statements(), outcome.as_ref().err());
        outcome
    }};
}

/// Runs the body of a call.
#[cfg(not(feature = "tracing"))]
macro_rules! traced {
    ($driver:ident, $call:expr, $body:expr) => {{ $body }};
}

pub(super) use traced;
