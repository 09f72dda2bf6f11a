//! The core: decides which statement is sent next, and awaits its answer. It is written once, as async functions over a driver, for
//! blocking and asynchronous connections.

mod advisory;
mod attempts;
mod catch;
#[cfg(feature = "migrations")]
mod changes;
mod driver;
mod explain;
mod hold;
mod holders;
mod implicit_rollback;
mod limited;
mod mark_broken;
mod pick;
mod probe;
mod query;
mod registry;
mod send;
mod session_state;
mod set;
mod single_writer;
mod snapshot;
mod timer;
mod trace;
mod transaction;
mod waits;

pub use self::explain::ExplainPick;
#[cfg(feature = "tracing")]
pub use self::trace::{StatementTime, set_long_hold, set_long_wait};
pub(crate) use self::{
    advisory::{Span, Taken, contended, is_held, is_mine, release, take},
    attempts::Attempts,
    driver::Driver,
    hold::Hold,
    holders::holders_of,
    pick::{claim, pick},
    query::{Loading, of_tables},
    set::lock,
    transaction::{Begun, begin, end},
    waits::snapshot,
};
#[cfg(feature = "async")]
pub(crate) use self::{catch::catch, probe::commit_by_text, registry::abandon};
#[cfg(feature = "migrations")]
pub(crate) use self::{changes::changes, mark_broken::mark_broken};
