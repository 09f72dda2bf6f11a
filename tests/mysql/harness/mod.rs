//! What the tests of these servers stand on, itself tested: databases, probes, sessions, who waits for whom.

mod databases;
mod interleavings;
mod locks;
mod sessions;

use crate::support::{arena::ServerArena, mysql::MysqlFamily};

type Arena = ServerArena<MysqlFamily>;

const LOCK_1: &str = "SELECT id FROM accounts WHERE id = 1 FOR UPDATE";
const LOCK_2: &str = "SELECT id FROM accounts WHERE id = 2 FOR UPDATE";
