//! What is known of connections with an open transaction, beside what they know themselves.
//!
//! A set knows nothing of the transaction that it is locked in, and Diesel's connections carry nothing for us. What a connection out of a pool and
//! the one inside of it agree on is where the state of their transaction lies. Entries by thread would be another one's as soon as two tasks
//! share a thread.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    ptr,
    sync::{Mutex, PoisonError},
};

use super::driver::Driver;
use crate::{
    advisory::AdvisoryName,
    error::{LockError, Result},
    transaction::{OrderWatch, StepBack},
};

#[derive(Default)]
struct Entry {
    /// How many transactions were open when it was made. When there are fewer, it is over.
    depth: u32,
    /// The crate has begun the outermost transaction, and will see its end.
    ours: bool,
    /// Advisory locks to be released at that end.
    names: Vec<AdvisoryName>,
    watch: Option<Watch>,
}

struct Watch {
    refuse: bool,
    order: OrderWatch,
}

static ENTRIES: Mutex<BTreeMap<usize, Entry>> = Mutex::new(BTreeMap::new());

/// Looks at the entry of a connection, and changes it.
fn with<D: Driver, R>(driver: &mut D, see: impl FnOnce(&mut Option<Entry>, u32) -> R) -> R {
    let depth = driver.depth().ok().flatten().map_or(0, NonZeroU32::get);
    let address = ptr::from_mut(driver.status()).addr();
    let mut entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut entry = entries.remove(&address).filter(|entry| entry.depth <= depth);
    let seen = see(&mut entry, depth);
    if let Some(entry) = entry {
        entries.insert(address, entry);
    }
    seen
}

/// An outermost transaction of the crate's has begun.
pub(super) fn open<D: Driver>(driver: &mut D) {
    with(driver, |entry, depth| *entry = Some(Entry { depth, ours: true, ..Entry::default() }));
}

/// It has ended: the advisory locks that were to last as long.
pub(super) fn close<D: Driver>(driver: &mut D) -> Vec<AdvisoryName> {
    let address = ptr::from_mut(driver.status()).addr();
    let entry = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    entry.map_or_else(Vec::new, |entry| entry.names)
}

/// Marks a connection as broken whose call has not come to its end, and forgets what is known of it.
#[cfg(feature = "async")]
pub(crate) fn abandon<D: Driver>(driver: &mut D) {
    close(driver);
    driver.status().set_in_error();
}

/// Whether the crate will see the end of the open transaction.
pub(super) fn is_ours<D: Driver>(driver: &mut D) -> bool {
    with(driver, |entry, _| entry.as_ref().is_some_and(|entry| entry.ours))
}

/// Has a lock released at that end. It must be [ours](is_ours).
pub(super) fn release_at_the_end<D: Driver>(driver: &mut D, name: &AdvisoryName) {
    with(driver, |entry, _| {
        if let Some(entry) = entry {
            entry.names.push(name.clone());
        }
    });
}

/// Watches the order of the lock sets from here on; whether they were not watched already.
pub(super) fn watch<D: Driver>(driver: &mut D, refuse: bool) -> bool {
    with(driver, |entry, depth| {
        let entry = entry.get_or_insert_with(|| Entry { depth, ..Entry::default() });
        let new = entry.watch.is_none();
        if new {
            entry.watch = Some(Watch { refuse, order: OrderWatch::default() });
        }
        new
    })
}

pub(super) fn unwatch<D: Driver>(driver: &mut D) {
    with(driver, |entry, _| {
        if let Some(entry) = entry {
            entry.watch = None;
        }
        entry.take_if(|entry| !entry.ours);
    });
}

/// Has the watch of the connection, if there is one, see what a set is about to lock or has locked.
pub(super) fn observe<D: Driver>(driver: &mut D, see: impl FnOnce(&mut OrderWatch) -> Option<StepBack>) -> Result<()> {
    let back = with(driver, |entry, _| {
        let watch = entry.as_mut()?.watch.as_mut()?;
        Some((see(&mut watch.order)?, watch.refuse))
    });
    match back {
        Some((StepBack { after, back_to }, true)) => Err(LockError::OutOfOrder { after, back_to }),
        Some((StepBack { after, back_to }, false)) => {
            warn(&after, &back_to);
            Ok(())
        }
        None => Ok(()),
    }
}

#[cfg(feature = "tracing")]
fn warn(after: &str, back_to: &str) {
    tracing::warn!(
        after,
        back_to,
        "a lock set went back behind an earlier one of the same transaction; another transaction that does the opposite can \
         deadlock with it"
    );
}

#[cfg(not(feature = "tracing"))]
fn warn(_: &str, _: &str) {}
