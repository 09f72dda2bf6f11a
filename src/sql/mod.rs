//! The parts of SQL that do not depend on a backend: models, user queries, locking clauses, key lists, and the reading of statement text.
//!
//! Each backend builds its statements from them, in `crate::backend`.

mod any_select;
mod cache;
mod clause;
mod columns;
mod helper;
mod key_list;
mod lock_clause;
mod lock_target;
mod model;
mod queried_model;
mod query_text;
mod raw_text;
mod row_lock;
mod row_set;
mod table_name;
mod text_cache;
mod tokens;

#[allow(unused_imports, reason = "each backend looks at other pieces")]
pub use self::{
    any_select::{AnySelect, QueriedBy, RowQuery, Shape},
    columns::Columns,
    key_list::{KeyList, Rank},
    lock_target::LockTarget,
    model::{Answer, ErasedRows, Keys, Model, ModelRows, ModelText, RowId, Sequence},
    queried_model::QueriedModel,
    query_text::QueryText,
    row_lock::{LockQueryDsl, LockableSelect, RowLock, TableIn, Waiting},
    table_name::TableName,
    tokens::Dialect,
};
#[allow(unused_imports, reason = "each backend looks at other pieces")]
pub(crate) use self::{
    cache::Cache,
    clause::{Behind, ColumnsOf, Filter, From, KeyOf},
    key_list::filled,
    query_text::model_id,
    text_cache::{Lookup, StatementKind},
};
pub(crate) use self::{
    helper::{Named, helper_name, key_helper},
    lock_clause::{LockClause, LockedQuery},
    model::FoundRows,
    queried_model::Chosen,
    query_text::{check_changes, check_model, locked_text},
    row_lock::{ExclusiveStrength, LockStrength},
    row_set::RowSet,
    text_cache::{Remembered, TextKey, write_text},
    tokens::{Token, Tokens},
};
#[cfg(test)]
pub(crate) use self::{
    raw_text::{Allowed, Refused, read},
    tokens::Unreadable,
};
