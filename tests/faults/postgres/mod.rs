//! PostgreSQL.

mod advisory_guards;
mod error_types;
mod foreign_connections;
mod moved_partitions;
