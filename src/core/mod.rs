//! The core: decides what is sent next, and awaits the answer. Written once, for connections whose calls block and for others.

mod advisory;
mod attempts;
mod catch;
mod driver;
mod holders;
mod implicit_rollback;
mod mark_broken;
mod pick;
mod query;
mod registry;
mod send;
mod session_state;
mod set;
mod snapshot;
mod timer;
mod transaction;

pub(crate) use self::{
    advisory::{Span, Taken, contended, is_held, release, take},
    attempts::Attempts,
    driver::Driver,
    holders::holders_of,
    pick::{claim, pick},
    query::{load, load_in_time},
    registry::{is_ours, release_at_the_end},
    set::lock,
    transaction::{Begun, begin, end},
};
