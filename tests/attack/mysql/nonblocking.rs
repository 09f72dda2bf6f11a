//! The attack over an `AsyncMysqlConnection`.

use crate::{
    mysql as words,
    support::nonblocking::{MysqlNonblocking as Driver, verbs},
};

#[path = "../each/mod.rs"]
mod each;

#[test]
fn attack() {
    each::attack();
}
