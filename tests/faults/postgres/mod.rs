//! PostgreSQL.

mod key_types;
mod linear;
mod many_queries;
