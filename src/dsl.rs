//! Types of locked queries, for functions that return one, named after the methods as in [`diesel::dsl`], whose types are here too.
//!
//! `#[auto_type]` of Diesel finds them by `dsl_path`:
//!
//! ```
//! # include!("doctest_setup.rs");
//! use diesel::dsl::auto_type;
//!
//! #[auto_type(dsl_path = "diesel_lockset::dsl")]
//! fn poor() -> _ {
//!     let below: i32 = 50;
//!     accounts::table
//!         .filter(accounts::balance.lt(below))
//!         .for_update_of(accounts::table)
//!         .skip_locked()
//! }
//!
//! # fn main() { doctest(|conn| {
//! let accounts: Vec<Account> = poor().load(conn)?;
//! # assert_eq!(accounts.len(), 1);
//! # Ok(()) }) }
//! ```
//!
//! By hand, the same type is `SkipLocked<ForUpdateOf<Filter<accounts::table, Lt<accounts::balance, i32>>, accounts::table>>`.

use diesel::query_builder::AsQuery;

pub use diesel::dsl::*;

use crate::{
    markers,
    sql::{RowLock, Waiting},
};

/// The type of `query.for_update_of(table)`: see the [module](self).
pub type ForUpdateOf<Q, S> = RowLock<<Q as AsQuery>::Query, S, markers::ForUpdate>;

/// The type of `query.for_no_key_update_of(table)`: see the [module](self).
pub type ForNoKeyUpdateOf<Q, S> = RowLock<<Q as AsQuery>::Query, S, markers::ForNoKeyUpdate>;

/// The type of `query.for_share_of(table)`: see the [module](self).
pub type ForShareOf<Q, S> = RowLock<<Q as AsQuery>::Query, S, markers::ForShare>;

/// The type of `query.for_key_share_of(table)`: see the [module](self).
pub type ForKeyShareOf<Q, S> = RowLock<<Q as AsQuery>::Query, S, markers::ForKeyShare>;

/// The type of `locked.skip_locked()`, for a query that is locked by one of the types of this module: see the [module](self).
pub type SkipLocked<L> = <L as Waiting>::As<markers::SkipLocked>;

/// The type of `locked.no_wait()`, for a query that is locked by one of the types of this module: see the [module](self).
pub type NoWait<L> = <L as Waiting>::As<markers::NoWait>;

/// The type of `locked.timeout(..)`, for a query that is locked by one of the types of this module: see the [module](self).
pub type Timeout<L> = <L as Waiting>::As<markers::Timeout>;

/// The type of `locked.wait(..)`, for a query that is locked by one of the types of this module: see the [module](self).
pub type Wait<L> = <L as Waiting>::As<crate::WaitPolicy>;
