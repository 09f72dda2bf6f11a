//! PostgreSQL.

mod chained_clauses;
mod raw_sql;
