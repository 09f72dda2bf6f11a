//! The contract over a `SyncConnectionWrapper<SqliteConnection>`, by the verbs of `diesel_lockset::nonblocking`.

use crate::support::nonblocking::{SqliteNonblocking as Driver, verbs};

#[path = "../../contract/single_writer.rs"]
mod contract;
