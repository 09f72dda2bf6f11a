//! One runtime for the process, and a way to wait for a future that may be nested.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use tokio::runtime::{Builder, Handle};

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.unwrap_or_else(|error| panic!("no runtime: {error}"))
});

/// The runtime of all tests.
pub(crate) fn runtime() -> &'static Handle {
    RUNTIME.handle()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls the future on this thread until it is ready. What it spawns goes to the runtime.
///
/// Calls may be nested, which those of a runtime may not: the closures of the tests call verbs inside of verbs.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let _runtime = runtime().enter();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // Another call on this thread may have consumed the token, or left one: the future is polled once more then.
            Poll::Pending => thread::park(),
        }
    }
}

/// The runtime as `AsyncConnectionWrapper` wants it.
#[derive(Debug)]
pub(crate) struct Runtime;

impl BlockOn for Runtime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }

    fn get_runtime() -> Self {
        Runtime
    }
}

/// A connection of `diesel-async` that Diesel's own calls can be made on.
pub(crate) type Blocked<C> = AsyncConnectionWrapper<C, Runtime>;
