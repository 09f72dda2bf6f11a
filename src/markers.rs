//! The strengths, the wait policies and the modes of advisory locks, as marker types. They stand in the types of locked queries, requests and
//! advisory locks, and are seldom named: [`dsl`](crate::dsl) has types of locked queries.

pub use crate::{
    advisory::{Exclusive, Shared, Transactional},
    sql::{Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, NoWait, SkipLocked, Timeout},
};
