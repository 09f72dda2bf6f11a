//! The next free row: `pick_next`, `pick` and `claim`, one session at a time or a few of them, step by step.

use super::{Arena, Driver, quoted, verbs};

mod claim;
mod claim_beside_others;
mod cost;
mod exactly_once;
mod joined;
mod lease;
mod mail;
mod order;
mod refused;
mod strengths;
mod workers;

use self::mail::{begin_and_pick, ids, new_mail, pick_id};
