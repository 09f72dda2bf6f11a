//! Statements that return rows and that Diesel keeps prepared.
//!
//! The server begins its answer before it locks the rows. If an error follows, such as a deadlock, libmariadb takes the statement for one
//! whose rows were not all read. When it is executed again, the library waits for these rows for ever. Seen with libmariadb 3.3 and all
//! servers; also for a statement about one key or about no table, if it is cancelled at the right moment. So a statement that has failed is
//! not executed again.

use diesel::result::Error as DieselError;

use crate::backend::KeptStatements;

pub(super) const KEPT_STATEMENTS: KeptStatements = KeptStatements { nothing: "DO 0", fails_early };

/// The conditions of a locking statement that have no columns are evaluated before its answer begins. They name variables of the crate.
fn fails_early(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if info.message().contains("@`diesel_lockset_"))
}
