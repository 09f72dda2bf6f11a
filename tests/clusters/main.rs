//! What holds over two nodes of a Galera cluster, which `GALERA_DATABASE_URLS` names, with `|` between them.
//!
//! Not a part of `cargo test`: `cargo test --all-features --test clusters`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod claims;
mod killed;
mod locks;
mod nodes;
mod transfers;
