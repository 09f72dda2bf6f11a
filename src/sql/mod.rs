//! The grammar: what a set wants of a table, as query nodes that no backend is named in.

mod choice;
mod columns;
mod finished;
mod found;
mod key_list;
mod part;
mod row_lock;
mod table_name;

pub use self::{
    choice::{Choice, ChosenBy, RowQuery, Shape},
    columns::Columns,
    finished::Finished,
    found::{Found, Sight, Unheld},
    key_list::KeyList,
    part::{List, LockTarget, Part, PartInSet, Wanted},
    row_lock::{
        Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, LockQueryDsl, LockableSelect, NoWait, RowByRow,
        RowLock, SkipLocked, TableIn, Timeout,
    },
    table_name::TableName,
};
pub(crate) use self::{
    found::FoundRows,
    part::Chosen,
    row_lock::{LockWords, Unlockable},
};
