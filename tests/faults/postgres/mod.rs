//! PostgreSQL.

mod key_types;
