//! PostgreSQL.

mod key_types;
mod linear;
mod many_queries;
mod one_table;
mod row_security;
mod views;
