//! Sessions that do one step at a time; without the scripts, which ask the server who waits.

#![allow(dead_code, reason = "parts of it are for scripts")]

#[path = "../isolation/actor.rs"]
mod actor;
#[path = "../isolation/crowd.rs"]
mod crowd;
#[path = "../isolation/pending.rs"]
mod pending;
#[path = "../isolation/play.rs"]
mod play;
#[path = "../isolation/stage.rs"]
mod stage;
#[path = "../isolation/transcript.rs"]
mod transcript;

pub(crate) use self::{crowd::crowd, play::Play};
