//! PostgreSQL.

use diesel::PgConnection as Conn;

const ANALYZE: &str = "ANALYZE accounts";

#[path = "cases.rs"]
pub(super) mod cases;
