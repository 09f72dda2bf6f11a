//! Picks and claims: what only PostgreSQL has, and what only its plans could break.

mod between_choice_and_lock;
mod key_locks;
mod many_jobs;
mod names;
mod plans;
mod texts;
