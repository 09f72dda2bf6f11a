//! The attack over an `AsyncPgConnection`.

use crate::{
    postgres as words,
    support::nonblocking::{Nonblocking as Driver, verbs},
};

#[path = "../each/mod.rs"]
mod each;

#[test]
fn attack() {
    each::attack();
}
