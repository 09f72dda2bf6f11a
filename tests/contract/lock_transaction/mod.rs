//! `LockTransaction`: what is run again and when, and what comes back otherwise.

use super::{Arena, Driver, verbs};

mod beside_others;
mod calls;
mod disorder;
mod endings;
mod isolation;
mod nested;
mod own_errors;
mod pauses;
mod retries;
mod workload;

use self::calls::{Conn, Own, lock, moved, run, run_on, touch};
