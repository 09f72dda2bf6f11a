//! PostgreSQL.

mod row_security;
mod views;
