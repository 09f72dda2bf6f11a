//! The attack over a plain `MysqlConnection`.

use crate::{
    mysql as words,
    support::{driver::MysqlBlocking as Driver, verbs},
};

#[path = "../each/mod.rs"]
mod each;

#[test]
fn attack() {
    each::attack();
}
