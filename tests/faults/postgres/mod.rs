//! PostgreSQL.

mod chained_clauses;
mod key_types;
mod linear;
mod many_queries;
mod one_table;
mod raw_sql;
mod row_security;
mod views;
