//! The module `testing`: what it must find, and where it must find nothing, on PostgreSQL and on MariaDB or MySQL.

mod mysql;
mod postgres;
