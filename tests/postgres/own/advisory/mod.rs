//! Advisory locks: those that end with a transaction, and what the server does under the verbs.

use super::{
    Arena, Driver,
    contract::advisory::{account, free, nothing},
    verbs,
};

mod failed_commits;
mod sets;
mod settings;
mod transactions;
