//! PostgreSQL.

mod computed_columns;
mod key_types;
mod linear;
mod many_queries;
