//! MySQL and MariaDB.

mod foreign_connections;
