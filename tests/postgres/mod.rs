//! PostgreSQL: the contract once for each driver, and what no other backend has.

mod blocking;
mod clauses;
mod ended_waits;
mod errors;
mod foreign_keys;
mod pooled;
mod raw_transactions;
mod serialization;
mod strengths;
mod waiting;
mod with_lock;
