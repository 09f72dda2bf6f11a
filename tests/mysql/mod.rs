//! MySQL and MariaDB: whichever of the two `MYSQL_DATABASE_URL` names.

mod blocking;
mod harness;
mod lost_transactions;
mod pooled;
mod version;
