//! The next free row: `pick_next`, `pick` and `claim`, one session at a time or a few of them, step by step.

use super::{Arena, Driver, quoted, verbs};

mod claim;
mod claim_beside_others;
mod cost;
mod exactly_once;
mod joined;
mod joined_beside_others;
mod lease;
mod mail;
mod old_snapshot;
mod order;
mod order_beside_others;
mod refused;
mod strengths;
mod workers;

pub(super) use self::mail::new_mail;
use self::mail::{begin_and_pick, ids, pick_id};
