//! PostgreSQL: the contract once for each driver, and what no other backend has.

mod advisory;
mod blocking;
mod clauses;
mod crashes;
mod ended_waits;
mod errors;
mod foreign_keys;
mod generic_code;
mod joins;
mod key_types;
mod lock_transaction;
mod names;
mod nonblocking;
mod pick;
mod plans;
mod pooled;
mod queries_in_sets;
mod raw_transactions;
mod refused;
mod serialization;
mod statements;
mod strengths;
mod transactions;
mod version;
mod waiting;
mod with_lock;
