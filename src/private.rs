//! What the derive's expansion names, and what hidden parts of public traits are made of. Not part of the public API.

pub use crate::{
    advisory::{AdvisoryMode, KeyText},
    backend::{AdvisoryCall, Clock, Exchange, PickDialogue, Picking, Reader, TableDialogue},
    diesel_internals::{FieldRef, RowRef, Statement},
    key::LockKey,
    lockable::{IsKey, One, PrimaryKeyOf},
    mode::Patience,
    pick::Picks,
    run::AdvisoryConnection,
    sql::{
        Among, Answer, Choice, ChosenBy, Columns, Dialect, Finished, Found, KeyList, KeyedPart, Keys, List, Model,
        ModelRows, ModelText, Part, PartInSet, Pending, QueryText, Rank, Resolved, RowByRow, RowId, Seen, Sequence,
        Shape, Sight, TableName, Wanted,
    },
    transaction::{Boxed, ClosureError, Concrete},
};
