//! The attack over a plain `PgConnection`.

use crate::{
    postgres as words,
    support::{driver::Blocking as Driver, verbs},
};

#[path = "../each/mod.rs"]
mod each;

#[test]
fn attack() {
    each::attack();
}
