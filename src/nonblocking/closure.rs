//! The bounds on asynchronous closures: their futures must be `Send`, and those that are run again must be `Clone`.

use std::{future::Future, pin::Pin};

/// The future of a verb that takes a closure.
///
/// It is boxed: an `impl Future` of such a verb has the bounds of the closure, and a spawned future that awaits it has to prove them without
/// knowing any lifetime ([rust-lang/rust#100013](https://github.com/rust-lang/rust/issues/100013)). Closures over a connection out of a pool of
/// `bb8`, and errors that are a `Box<dyn Error + Send + Sync>`, did not compile.
pub type ClosureFuture<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// Declares a trait for asynchronous closures with these arguments.
macro_rules! async_closures {
    ($($(#[$doc:meta])* $Closure:ident($($argument:ident),+);)*) => {$(
        $(#[$doc])*
        ///
        /// It is implemented for every closure and function that returns a future. It gives that future a name, so that a bound can say that
        /// it is `Send`. `diesel-async` has such a trait and keeps it private.
        ///
        /// A function that takes such a closure has one lifetime in the bound for each reference
        /// ([example](crate::_documentation::asynchronous#a-function-of-your-own-that-takes-a-closure)).
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is not an asynchronous closure whose future is `Send`",
            note = "write `async |conn| {{ .. }}`, and keep nothing across an `.await` that is not `Send`"
        )]
        pub trait $Closure<$($argument,)+ Out>:
            AsyncFnOnce($($argument),+) -> Out + FnOnce($($argument),+) -> <Self as $Closure<$($argument,)+ Out>>::Future
        {
            /// The future of the closure. Bounds are on it: `Future: Send`.
            type Future: Future<Output = Out>;
        }

        #[diagnostic::do_not_recommend]
        impl<F, $($argument,)+ Out, Fut> $Closure<$($argument,)+ Out> for F
        where
            F: AsyncFnOnce($($argument),+) -> Out + FnOnce($($argument),+) -> Fut,
            Fut: Future<Output = Out>,
        {
            type Future = Fut;
        }
    )*};
}

async_closures! {
    /// An asynchronous closure over a connection.
    AsyncClosure(Conn);

    /// An asynchronous closure over a locked row and a connection.
    AsyncRowClosure(Row, Conn);
}

/// A closure that can be run again: a transaction that lost against another one runs a clone of it.
///
/// It is implemented for every closure that is `Clone`: every value that it captures is. A reference and an `Arc` are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be run again: it captures a value that is not `Clone`",
    note = "the closure is cloned for each try of the transaction",
    note = "capture the value by reference, as `let value = &value;` before the closure, or share it by `Arc`"
)]
pub trait RepeatableClosure: Clone {}

#[diagnostic::do_not_recommend]
impl<F: Clone> RepeatableClosure for F {}
