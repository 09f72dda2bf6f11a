//! Advisory locks: what only PostgreSQL has, and what other languages must agree on.

mod attribute;
mod behind_a_pooler;
mod broken;
mod deadlocks;
mod migrations;
mod names;
mod shared;
