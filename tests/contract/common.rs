//! What the tests of the contract share.

use super::Driver;
use crate::support::{arena::ServerArena, driver::Session, server::Server};

/// A database of a test's own, on the server of the driver.
pub(crate) type Arena = ServerArena<<Driver as Session>::Server>;

/// Whether queries are asked first, see [`Server::RESOLVES_FIRST`].
pub(super) const RESOLVES_FIRST: bool = <<Driver as Session>::Server as Server>::RESOLVES_FIRST;

/// So many statements were sent: what PostgreSQL needs, or at least that where queries are asked first.
pub(super) fn assert_sent(sent: usize, needed: usize, what: &str) {
    let more = RESOLVES_FIRST && sent > needed;
    assert!(sent == needed || more, "{what}: {sent} statements in place of {needed}");
}

/// Nothing was sent. A single writer may be asked whether its transaction is still open, by a statement that fails.
pub(super) fn assert_nothing_sent(sent: &[String]) {
    let asks = |sent: &&String| sent.starts_with("RELEASE `diesel_lockset: no such savepoint`");
    let asked = sent.iter().filter(asks).count();
    assert!(sent.len() == asked && (asked == 0 || !Arena::LOCKS_ROWS), "{sent:?}");
}

/// A name as the server of the driver wants it if it is a word of SQL.
pub(super) fn quoted(name: &str) -> String {
    <Driver as Session>::Server::quoted(name)
}
