//! PostgreSQL.

mod raw_sql;
