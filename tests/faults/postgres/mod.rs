//! PostgreSQL.

mod views;
