//! PostgreSQL: the contract once for each driver, and what no other backend has.

mod blocking;
mod errors;
mod foreign_keys;
mod pooled;
mod strengths;
