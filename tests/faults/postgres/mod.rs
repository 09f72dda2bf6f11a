//! PostgreSQL.

mod one_table;
mod row_security;
mod views;
