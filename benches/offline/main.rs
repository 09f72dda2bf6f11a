//! What needs no server: sets, texts and errors in memory, and the verbs on SQLite beside Diesel by hand.
//!
//! Run it with `cargo bench`, or with `cargo bench --features postgres,mysql` for the texts of those servers too; a word behind it picks the
//! benches whose names contain it.

mod errors;
mod on_sqlite;
mod sets;
mod tables;
mod texts;

fn main() {
    divan::main();
}
