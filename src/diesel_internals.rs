//! The one window into Diesel: everything that needs its opt-in feature goes through here.
//!
//! What it buys, and what would be lost without it, is in `DESIGN.md`. Nothing in this file knows about locks.

use std::{marker::PhantomData, num::NonZeroU32, ops::Range};

use diesel::{
    backend::Backend,
    connection::TransactionManagerStatus,
    query_builder::{
        AstPass, BindCollector, Query, QueryBuilder, QueryFragment, QueryId, bind_collector::RawBytesBindCollector,
    },
    result::{Error, QueryResult},
    row::{Field, PartialRow, Row, RowIndex, RowSealed},
    serialize::ToSql,
    sql_types::{HasSqlType, TypeMetadata, Untyped},
};

pub(crate) use diesel::{
    connection::{DefaultLoadingMode, LoadConnection},
    query_builder::{BoxedSelectStatement, FromClause, SelectClauseExpression, SelectStatement},
    query_dsl::CompatibleType,
};

/// How many transactions are open on the connection, savepoints included; `None` in autocommit.
///
/// Diesel's own count is asked, not the server: it costs no statement, and it is what `Connection::transaction` goes by.
pub(crate) fn transaction_depth(status: &TransactionManagerStatus) -> QueryResult<Option<NonZeroU32>> {
    match status {
        TransactionManagerStatus::Valid(status) => Ok(status.transaction_depth()),
        TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
    }
}

/// Whether the server has given the transaction up, so that a commit would be a rollback; as far as the connection tells.
///
/// Asking the server would cost a statement. Whether the connection tells at all: [`tells_of_aborts`].
pub(crate) fn is_aborted(status: &TransactionManagerStatus) -> bool {
    match status {
        TransactionManagerStatus::Valid(status) => status
            .in_transaction
            .as_ref()
            .is_some_and(|transaction| transaction.requires_rollback_maybe_up_to_top_level),
        TransactionManagerStatus::InError => false,
    }
}

/// Whether the connection notes down what libpq says of the transaction, so that [`is_aborted`] knows: Diesel's own do, also out of
/// a pool. Others may or may not; `AsyncConnectionWrapper` and most that are written by hand do not.
///
/// The name of the type has to do. Its identity would need `'static`, which connections are not, and the types themselves are there
/// only if Diesel is built with a client library, which this crate cannot see. A connection that is not recognized is asked, so
/// the mistake to make is a statement too many. Tried instead: the flag set on purpose, to see the next statement clear it. It
/// tells of every driver, but from a closure without a statement on it looks like an aborted transaction.
pub(crate) fn tells_of_aborts<Conn>() -> bool {
    let name = std::any::type_name::<Conn>();
    let pooled = name.strip_prefix("r2d2::PooledConnection<diesel::r2d2::ConnectionManager<");
    let name = pooled.and_then(|name| name.strip_suffix(">>")).unwrap_or(name);
    ["diesel::pg::connection::PgConnection", "diesel::mysql::connection::MysqlConnection"].contains(&name)
}

/// Tells Diesel that nothing but a rollback, of all levels, makes sense any more.
pub(crate) fn mark_aborted(status: &mut TransactionManagerStatus) {
    set_rollback_flag(status, Some(true));
}

/// Whether Diesel takes the open transaction for one that can only be rolled back; nothing if there is none.
pub(crate) fn rollback_flag(status: &mut TransactionManagerStatus) -> Option<bool> {
    rollback_flag_mut(status).map(|flag| *flag)
}

/// Sets what [`rollback_flag`] says, if there is a transaction and something to set.
pub(crate) fn set_rollback_flag(status: &mut TransactionManagerStatus, value: Option<bool>) {
    if let (Some(flag), Some(value)) = (rollback_flag_mut(status), value) {
        *flag = value;
    }
}

fn rollback_flag_mut(status: &mut TransactionManagerStatus) -> Option<&mut bool> {
    let TransactionManagerStatus::Valid(status) = status else { return None };
    Some(&mut status.in_transaction.as_mut()?.requires_rollback_maybe_up_to_top_level)
}

/// The SQL of a fragment, without its values.
pub(crate) fn sql_of<DB>(fragment: &dyn QueryFragment<DB>) -> QueryResult<String>
where
    DB: Backend + Default,
    DB::QueryBuilder: Default,
{
    let mut sql = DB::QueryBuilder::default();
    fragment.to_sql(&mut sql, &DB::default())?;
    Ok(sql.finish())
}

/// Whether a fragment has pieces whose text Diesel does not know, as `diesel::dsl::sql` makes them.
///
/// Diesel keeps statements with such pieces out of its cache, and says so; it does the same for some of its own nodes.
pub(crate) fn has_raw_sql<DB: Backend + Default>(fragment: &dyn QueryFragment<DB>) -> QueryResult<bool> {
    Ok(!fragment.is_safe_to_cache_prepared(&DB::default())?)
}

/// Whether a clause writes anything.
pub(crate) fn is_empty<DB: Backend + Default>(clause: &dyn QueryFragment<DB>) -> QueryResult<bool> {
    clause.is_noop(&DB::default())
}

/// A value as it is sent, where values are sent as bytes: its type and they, unless it is NULL.
#[allow(dead_code, reason = "of one backend only")]
pub(crate) fn bytes_of<DB, ST, U>(value: &U) -> Option<(DB::TypeMetadata, Vec<u8>)>
where
    DB: for<'b> Backend<BindCollector<'b> = RawBytesBindCollector<DB>>
        + TypeMetadata<MetadataLookup = ()>
        + HasSqlType<ST>,
    U: ToSql<ST, DB>,
{
    let mut sent = RawBytesBindCollector::<DB>::new();
    BindCollector::push_bound_value::<ST, U>(&mut sent, value, &mut ()).ok()?;
    Some((sent.metadata.pop()?, sent.binds.pop()??))
}

/// A statement whose text is put together at run time and whose rows are read by index.
#[allow(missing_debug_implementations)] // as all of Diesel's boxed nodes
pub struct Statement<'q, DB: Backend> {
    fragment: Box<dyn QueryFragment<DB> + 'q>,
    cached: bool,
}

impl<'q, DB: Backend> Statement<'q, DB> {
    pub(crate) fn new(fragment: impl QueryFragment<DB> + 'q) -> Self {
        Statement { fragment: Box::new(fragment), cached: true }
    }

    /// Keeps it out of Diesel's cache. On PostgreSQL it is then parsed and run by one message to the server.
    pub(crate) fn uncached(self) -> Self {
        Statement { cached: false, ..self }
    }
}

impl<DB: Backend> QueryFragment<DB> for Statement<'_, DB> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.cached {
            pass.unsafe_to_cache_prepared();
        }
        self.fragment.walk_ast(pass)
    }

    // Some fragments know a shorter way to their text.
    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        (*self.fragment).to_sql(out, backend) // not the one that `Box` has
    }
}

impl<DB: Backend> Query for Statement<'_, DB> {
    type SqlType = Untyped;
}

impl<DB: Backend> QueryId for Statement<'_, DB> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// A row of any driver of one backend, so that what reads it can be a trait object.
///
/// The fields are fetched once, side by side: Diesel's fields lend out their values and so have to live somewhere.
#[allow(missing_debug_implementations)] // Diesel's rows have none
pub struct RowRef<'r, DB: Backend> {
    fields: &'r (dyn Values<DB> + 'r),
    range: Range<usize>,
}

impl<'r, DB: Backend> RowRef<'r, DB> {
    /// Shows `row` to `read` with its type forgotten.
    pub(crate) fn of<'a, R, Out>(row: &R, read: impl FnOnce(&RowRef<'_, DB>) -> Out) -> Out
    where
        R: Row<'a, DB>,
    {
        let fields = FieldList((0..row.field_count()).filter_map(|i| row.get(i)).collect::<Vec<_>>(), PhantomData);
        let range = 0..fields.0.len();
        read(&RowRef { fields: &fields, range })
    }

    /// The fields of `range`, counted from zero again.
    pub(crate) fn window(&self, range: Range<usize>) -> RowRef<'r, DB> {
        let start = self.range.start;
        RowRef { fields: self.fields, range: start + range.start..start + range.end }
    }
}

trait Values<DB: Backend> {
    fn value(&self, index: usize) -> Option<DB::RawValue<'_>>;
    fn name(&self, index: usize) -> Option<&str>;
}

struct FieldList<'f, F>(Vec<F>, PhantomData<&'f ()>);

impl<'f, F, DB> Values<DB> for FieldList<'f, F>
where
    DB: Backend,
    F: Field<'f, DB>,
{
    fn value(&self, index: usize) -> Option<DB::RawValue<'_>> {
        self.0[index].value()
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.0[index].field_name()
    }
}

/// One field of a [`RowRef`].
#[allow(missing_debug_implementations)] // as above
pub struct FieldRef<'f, DB: Backend> {
    fields: &'f (dyn Values<DB> + 'f),
    index: usize,
}

impl<'f, DB: Backend> Field<'f, DB> for FieldRef<'f, DB> {
    fn field_name(&self) -> Option<&str> {
        self.fields.name(self.index)
    }

    fn value(&self) -> Option<DB::RawValue<'_>> {
        self.fields.value(self.index)
    }
}

impl<DB: Backend> RowSealed for RowRef<'_, DB> {}

impl<DB: Backend> RowIndex<usize> for RowRef<'_, DB> {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.range.len()).then_some(index)
    }
}

impl<DB: Backend> RowIndex<&str> for RowRef<'_, DB> {
    fn idx(&self, name: &str) -> Option<usize> {
        (0..self.range.len()).find(|i| self.fields.name(self.range.start + i) == Some(name))
    }
}

impl<'r, DB: Backend> Row<'r, DB> for RowRef<'r, DB> {
    type Field<'f>
        = FieldRef<'f, DB>
    where
        'r: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.range.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'r: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        Some(FieldRef { fields: self.fields, index: self.range.start + index })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}
