//! The grammar: what a set wants of a table, as query nodes that no backend is named in.

mod choice;
mod clause;
mod columns;
mod finished;
mod found;
mod helper;
mod isolation;
mod kept;
mod key_list;
mod keyed_part;
mod lock_clause;
mod model;
mod part;
mod query_text;
mod raw_text;
mod resolved;
mod row_lock;
mod table_name;
mod tokens;
mod wanted;

#[allow(unused_imports, reason = "each backend looks at other pieces")]
pub(crate) use self::clause::{Behind, ColumnsOf, Filter, From, KeyOf};
pub use self::{
    choice::{Choice, ChosenBy, RowQuery, Shape},
    columns::Columns,
    finished::Finished,
    found::{Found, Sight},
    key_list::{KeyList, List, Rank},
    keyed_part::{KeyedPart, Pending},
    model::{Answer, Keys, Model, ModelRows, ModelText, RowId},
    part::{LockTarget, Part, PartInSet},
    query_text::QueryText,
    resolved::{Among, Resolved, Seen},
    row_lock::{
        Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, LockQueryDsl, LockableSelect, NoWait, RowByRow,
        RowLock, SkipLocked, TableIn, Timeout,
    },
    table_name::TableName,
    tokens::Dialect,
    wanted::Wanted,
};
pub(crate) use self::{
    found::FoundRows,
    helper::{Named, helper_name, key_helper},
    isolation::SetIsolation,
    kept::Kept,
    lock_clause::{LockClause, LockedQuery},
    part::Chosen,
    query_text::{check_changes, check_model, locked_text},
    raw_text::{COMMON_OPERATORS, POSTGRES_CALLS},
    row_lock::{ForChanging, LockWords},
    tokens::{Token, Tokens},
};
#[cfg(test)]
pub(crate) use self::{
    raw_text::{Allowed, Refused, read},
    tokens::Unreadable,
};
