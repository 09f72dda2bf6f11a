//! The interleavings themselves, tried with raw SQL.

mod crowd;
mod play;
mod script;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

const LOCK_1: &str = "SELECT FROM accounts WHERE id = 1 FOR UPDATE";
const LOCK_2: &str = "SELECT FROM accounts WHERE id = 2 FOR UPDATE";

/// The message with which `test` panics.
fn panic_of(test: impl FnOnce()) -> String {
    let panic: Box<dyn Any> = catch_unwind(AssertUnwindSafe(test)).expect_err("a panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().expect("a text").to_string(),
    }
}
