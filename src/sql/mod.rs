//! The grammar: what a set wants of a table, as query nodes that no backend is named in.

mod choice;
mod found;
mod key_list;
mod part;
mod table_name;

pub(crate) use self::{
    found::{Found, FoundRows, Sight, Unheld},
    part::{Chosen, Finished, List, PartInSet, Wanted},
    table_name::TableName,
};
pub use self::{
    choice::{Choice, RowQuery},
    key_list::KeyList,
    part::{LockTarget, Part},
};
