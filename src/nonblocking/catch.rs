//! Awaits the parts of a call, on the heap.

use std::{future::Future, thread};

use crate::core;

/// Awaits a part of a call on the heap. Returns its output, or its panic.
///
/// The compiler lays out a future with room for all futures that it awaits, some of them twice. With no allocation in between, a lock set
/// in a transaction in the closure of an advisory lock had 144 kB, which a debug build copies from frame to frame: the stack of a worker
/// thread of tokio, 2 MB, was not enough.
pub(super) fn catch<F: Future>(future: F) -> impl Future<Output = thread::Result<F::Output>> {
    core::catch(Box::pin(future))
}
