//! Interleavings: sessions that do one step at a time, with the server asked who waits for whom.
//!
//! - [`Play`]: sessions that a test moves by hand, step after step;
//! - [`Script`]: sessions with named steps, run in listed orders or in all of them;
//! - [`crowd`]: many sessions that run freely.

#![allow(dead_code, unused_imports, reason = "each part of the suite uses what it needs")]

mod actor;
mod crowd;
mod director;
mod pending;
mod permutation;
mod play;
mod run;
mod script;
mod stage;
#[cfg(test)]
mod tests;
mod transcript;

pub(crate) use actor::Actor;
pub(crate) use crowd::crowd;
pub(crate) use pending::Pending;
pub(crate) use play::Play;
pub(crate) use run::{Outcome, Run, Runs};
pub(crate) use script::Script;
pub(crate) use transcript::assert_text;
