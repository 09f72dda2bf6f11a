//! Lock sets whose rows are chosen by queries.

use super::{Arena, Driver, assert_sent};

mod beside_others;
mod chosen;
mod folded;
mod forms;
mod joined;
mod limited;
mod several_tables;

use self::forms::{Form, Set, account, account_ids, job_ids, search};
