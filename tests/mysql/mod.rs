//! MySQL and MariaDB: whichever of the two `MYSQL_DATABASE_URL` names.

mod advisory;
mod blocking;
mod crashes;
mod harness;
mod lost_transactions;
mod nonblocking;
mod nonblocking_pooled;
mod pooled;
mod version;
