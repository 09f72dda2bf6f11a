//! A registry of connections with an open transaction: advisory locks to release at its end, and the order of its lock sets.
//!
//! Diesel's connections have no place for such data. The key is the address of the connection's transaction status, which a pooled connection
//! and the connection inside of it share. An alternative failed: with entries by thread, two tasks on one thread would share an entry.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    ptr,
    sync::{Mutex, PoisonError},
};

use super::{driver::Driver, trace};
use crate::{
    advisory::AdvisoryName,
    error::{LockError, Result},
    transaction::{OrderWatch, StepBack},
};

#[derive(Default)]
struct Entry {
    /// The number of open transactions when the entry was made. With fewer open, the entry is obsolete.
    depth: u32,
    /// True if the crate has begun the outermost transaction, so that it sees its end.
    ours: bool,
    /// The advisory locks to release at that end.
    names: Vec<AdvisoryName>,
    watch: Option<Watch>,
    /// The time at which the first lock was taken.
    locked: Option<trace::Held>,
}

struct Watch {
    refuse: bool,
    order: OrderWatch,
}

static ENTRIES: Mutex<BTreeMap<usize, Entry>> = Mutex::new(BTreeMap::new());

/// Reads and changes the entry of a connection.
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

/// Adds the entry of an outermost transaction that the crate has begun.
pub(super) fn open<D: Driver>(driver: &mut D) {
    with(driver, |entry, depth| *entry = Some(Entry { depth, ours: true, ..Entry::default() }));
}

/// Removes the entry at the end of that transaction. Returns the advisory locks to release.
pub(super) fn close<D: Driver>(driver: &mut D) -> Vec<AdvisoryName> {
    let address = ptr::from_mut(driver.status()).addr();
    let entry = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    if let Some(held) = entry.as_ref().and_then(|entry| entry.locked) {
        held.end(driver, "the end of the transaction");
    }
    entry.map_or_else(Vec::new, |entry| entry.names)
}

/// Notes the time of the first lock.
#[allow(dead_code, reason = "of one feature only")]
pub(super) fn note_lock<D: Driver>(driver: &mut D) {
    let now = trace::Held::now(driver);
    with(driver, |entry, _| {
        if let Some(entry) = entry {
            entry.locked.get_or_insert(now);
        }
    });
}

/// Marks a connection as broken whose call was not completed, and removes its entry.
#[cfg(feature = "async")]
pub(crate) fn abandon<D: Driver>(driver: &mut D) {
    close(driver);
    driver.status().set_in_error();
}

/// Returns whether the crate has begun the open transaction, so that it sees its end.
pub(super) fn is_ours<D: Driver>(driver: &mut D) -> bool {
    with(driver, |entry, _| entry.as_ref().is_some_and(|entry| entry.ours))
}

/// Returns the number of transactions that were open when the crate began the outermost one, also if the connection's record has none.
pub(super) fn depth_of_ours<D: Driver>(driver: &mut D) -> Option<NonZeroU32> {
    let address = ptr::from_mut(driver.status()).addr();
    let entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    entries.get(&address).filter(|entry| entry.ours).and_then(|entry| NonZeroU32::new(entry.depth))
}

/// Adds a lock to release at that end. The transaction must be [the crate's](is_ours).
pub(super) fn release_at_the_end<D: Driver>(driver: &mut D, name: &AdvisoryName) {
    with(driver, |entry, _| {
        if let Some(entry) = entry {
            entry.names.push(name.clone());
        }
    });
}

/// Begins to watch the order of the lock sets. Returns `false` if it is watched already.
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

/// Reports to the watch of the connection, if there is one, what a set is about to lock or has locked.
pub(super) fn observe<D: Driver>(driver: &mut D, see: impl FnOnce(&mut OrderWatch) -> Option<StepBack>) -> Result<()> {
    let back = with(driver, |entry, _| {
        let watch = entry.as_mut()?.watch.as_mut()?;
        Some((see(&mut watch.order)?, watch.refuse))
    });
    match back {
        Some((StepBack { after, back_to, .. }, true)) => Err(LockError::OutOfOrder { after, back_to }),
        Some((back, false)) => {
            trace::step_back(&back);
            Ok(())
        }
        None => Ok(()),
    }
}
