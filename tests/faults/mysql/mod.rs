//! MySQL and MariaDB.

mod chained_clauses;
mod full_text;
mod raw_sql;
