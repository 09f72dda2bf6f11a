//! PostgreSQL.

use crate::support::driver::Blocking as Driver;

mod commits;
#[path = "../lost_answers.rs"]
mod lost_answers;
