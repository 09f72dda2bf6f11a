//! Which class an error of Diesel's has: some are known by their message, which has the language of the server.

use diesel::result::{DatabaseErrorKind, Error};
use diesel_lockset::LockError;
use divan::Bencher;

const MESSAGES: [&str; 4] = [
    "deadlock detected",
    "Verklemmung (Deadlock) entdeckt",
    "Deadlock found when trying to get lock; try restarting transaction",
    "relation \"accounts\" does not exist",
];

fn error(message: &str) -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
}

#[divan::bench(args = MESSAGES)]
fn of_a_locking_statement(bencher: Bencher<'_, '_>, message: &str) {
    bencher.with_inputs(|| error(message)).bench_values(LockError::of_locking_statement);
}

#[divan::bench(args = MESSAGES)]
fn of_any_statement(bencher: Bencher<'_, '_>, message: &str) {
    bencher.with_inputs(|| error(message)).bench_values(LockError::from);
}
