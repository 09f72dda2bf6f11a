//! Access to Diesel's unstable internals. Everything that needs Diesel's opt-in feature for them is in this file.
//!
//! `DESIGN.md` lists what the feature is needed for, and what would be lost without it. This file knows nothing about locks.

use std::{borrow::Cow, marker::PhantomData, num::NonZeroU32, ops::Range};

use diesel::{
    backend::Backend,
    connection::{InstrumentationEvent, TransactionDepthChange, TransactionManagerStatus},
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

/// Returns the number of open transactions on the connection, savepoints included; `None` in autocommit.
///
/// It is Diesel's own count, which costs no statement, and which `Connection::transaction` uses too. The server is not asked.
pub(crate) fn transaction_depth(status: &TransactionManagerStatus) -> QueryResult<Option<NonZeroU32>> {
    match status {
        TransactionManagerStatus::Valid(status) => Ok(status.transaction_depth()),
        TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
    }
}

/// Returns whether the connection reports that the server has aborted the transaction, so that a commit would be a rollback.
///
/// Asking the server would cost a statement. Not every connection reports it: see [`tells_of_aborts`].
pub(crate) fn is_aborted(status: &TransactionManagerStatus) -> bool {
    match status {
        TransactionManagerStatus::Valid(status) => status
            .in_transaction
            .as_ref()
            .is_some_and(|transaction| transaction.requires_rollback_maybe_up_to_top_level),
        TransactionManagerStatus::InError => false,
    }
}

/// Returns whether the connection records an aborted transaction, so that [`is_aborted`] sees it. True for Diesel's own connections, also
/// those of an r2d2 pool: they record the transaction status of libpq. Other connections may or may not; `AsyncConnectionWrapper` and
/// most connections that are written by hand do not.
///
/// The type is compared by its name. `TypeId` would need `'static`, which connections are not, and the types themselves exist only if
/// Diesel is built with a client library, which this crate cannot see. On a connection that is not recognized the server is asked, so a
/// mistake costs one statement. An alternative failed: to set the flag, and see whether the next statement clears it. That works with
/// every driver, but after a closure that sends no statement the transaction looks aborted.
pub(crate) fn tells_of_aborts<Conn>() -> bool {
    let name = std::any::type_name::<Conn>();
    let pooled = name.strip_prefix("r2d2::PooledConnection<diesel::r2d2::ConnectionManager<");
    let name = pooled.and_then(|name| name.strip_suffix(">>")).unwrap_or(name);
    ["diesel::pg::connection::PgConnection", "diesel::mysql::connection::MysqlConnection"].contains(&name)
}

/// Marks the transaction in Diesel's status as one that can only be rolled back, up to the top level.
pub(crate) fn mark_aborted(status: &mut TransactionManagerStatus) {
    if let TransactionManagerStatus::Valid(status) = status {
        if let Some(transaction) = &mut status.in_transaction {
            transaction.requires_rollback_maybe_up_to_top_level = true;
        }
    }
}

/// Takes that mark off again: the transaction has been rolled back to a savepoint.
pub(crate) fn unmark_aborted(status: &mut TransactionManagerStatus) {
    if let TransactionManagerStatus::Valid(status) = status {
        if let Some(transaction) = &mut status.in_transaction {
            transaction.requires_rollback_maybe_up_to_top_level = false;
        }
    }
}

/// Returns the event by which Diesel's transaction manager says that it begins a transaction.
pub(crate) fn begin_event(depth: NonZeroU32) -> InstrumentationEvent<'static> {
    InstrumentationEvent::begin_transaction(depth)
}

/// Returns the event by which it says that it commits one.
pub(crate) fn commit_event(depth: NonZeroU32) -> InstrumentationEvent<'static> {
    InstrumentationEvent::commit_transaction(depth)
}

/// Records that a transaction was begun, by a statement that the transaction manager did not send.
pub(crate) fn transaction_begun(status: &mut TransactionManagerStatus) -> QueryResult<()> {
    change_depth(status, TransactionDepthChange::IncreaseDepth)
}

/// Records that a transaction has ended.
pub(crate) fn transaction_ended(status: &mut TransactionManagerStatus) -> QueryResult<()> {
    change_depth(status, TransactionDepthChange::DecreaseDepth)
}

fn change_depth(status: &mut TransactionManagerStatus, change: TransactionDepthChange) -> QueryResult<()> {
    match status {
        TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
        TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
    }
}

/// Returns the SQL text of a fragment, without its bind parameters.
pub(crate) fn sql_of<DB>(fragment: &dyn QueryFragment<DB>) -> QueryResult<String>
where
    DB: Backend + Default,
    DB::QueryBuilder: Default,
{
    let mut sql = DB::QueryBuilder::default();
    fragment.to_sql(&mut sql, &DB::default())?;
    Ok(sql.finish())
}

/// Returns whether a fragment contains raw SQL, such as that of `diesel::dsl::sql`.
///
/// It asks whether Diesel caches the prepared statement, which it does not with raw SQL. Some of Diesel's own nodes are not cached either:
/// for those it returns `true` as well.
pub(crate) fn has_raw_sql<DB: Backend + Default>(fragment: &dyn QueryFragment<DB>) -> QueryResult<bool> {
    Ok(!fragment.is_safe_to_cache_prepared(&DB::default())?)
}

/// Returns whether a clause adds nothing to the statement.
pub(crate) fn is_empty<DB: Backend + Default>(clause: &dyn QueryFragment<DB>) -> QueryResult<bool> {
    clause.is_noop(&DB::default())
}

/// Returns the type and the bytes of a value as the driver sends them, on backends that send values as bytes. `None` if the value is NULL
/// or cannot be serialized.
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

/// A statement that is built at run time and whose rows are read by index.
#[allow(missing_debug_implementations)] // as all of Diesel's boxed nodes
pub struct Statement<'q, DB: Backend> {
    fragment: Box<dyn QueryFragment<DB> + 'q>,
    cached: bool,
    /// Text in front of the fragment and behind it.
    around: (Cow<'static, str>, Cow<'static, str>),
    open_ended: bool,
}

impl<'q, DB: Backend> Statement<'q, DB> {
    pub(crate) fn new(fragment: impl QueryFragment<DB> + 'q) -> Self {
        let around = (Cow::Borrowed(""), Cow::Borrowed(""));
        Statement { fragment: Box::new(fragment), cached: true, around, open_ended: false }
    }

    /// Keeps the statement out of Diesel's cache of prepared statements. PostgreSQL then parses and runs it in one round trip.
    pub(crate) fn uncached(self) -> Self {
        Statement { cached: false, ..self }
    }

    /// Returns whether Diesel keeps the statement prepared, if its cache is enabled.
    pub(crate) fn is_cached(&self) -> QueryResult<bool>
    where
        DB: Default,
    {
        Ok(self.cached && self.fragment.is_safe_to_cache_prepared(&DB::default())?)
    }

    /// Replaces the text in front of the fragment. The text has no bind parameters.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn behind(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.around.0 = text.into();
        self
    }

    /// Returns the text in front of the fragment.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn head(&self) -> &str {
        &self.around.0
    }

    /// Notes that an `OFFSET` clause may follow the fragment.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn open_ended(self) -> Self {
        Statement { open_ended: true, ..self }
    }

    /// Sets the text behind the fragment, if an `OFFSET` clause may follow it. The text has no bind parameters. Returns whether it did.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn follow_by(&mut self, text: impl Into<Cow<'static, str>>) -> bool {
        if self.open_ended {
            self.around.1 = text.into();
        }
        self.open_ended
    }
}

impl<DB: Backend> QueryFragment<DB> for Statement<'_, DB> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.cached {
            pass.unsafe_to_cache_prepared();
        }
        pass.push_sql(&self.around.0);
        self.fragment.walk_ast(pass.reborrow())?;
        pass.push_sql(&self.around.1);
        Ok(())
    }

    // Forwarded, since some fragments override `to_sql`.
    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        out.push_sql(&self.around.0);
        (*self.fragment).to_sql(out, backend)?; // not `Box`'s own `to_sql`
        out.push_sql(&self.around.1);
        Ok(())
    }
}

impl<DB: Backend> Query for Statement<'_, DB> {
    type SqlType = Untyped;
}

impl<DB: Backend> QueryId for Statement<'_, DB> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// A query of the crate's by reference, as the drivers send it. Diesel's own `&T` does not forward `to_sql`, which some nodes override.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Borrowed<'q, T>(pub(crate) &'q T);

impl<T: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Borrowed<'_, T> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        self.0.to_sql(out, backend)
    }
}

impl<T: Query> Query for Borrowed<'_, T> {
    type SqlType = T::SqlType;
}

impl<T> QueryId for Borrowed<'_, T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// A row of any driver of one backend, with the driver's type erased, so that a reader of rows can be a trait object.
///
/// All fields are fetched at once into a list: a value borrows from Diesel's field, so the field must be kept.
#[allow(missing_debug_implementations)] // Diesel's rows have none
pub struct RowRef<'r, DB: Backend> {
    fields: &'r (dyn Values<DB> + 'r),
    range: Range<usize>,
}

impl<'r, DB: Backend> RowRef<'r, DB> {
    /// Calls `read` with `row`, type-erased.
    pub(crate) fn of<'a, R, Out>(row: &R, read: impl FnOnce(&RowRef<'_, DB>) -> Out) -> Out
    where
        R: Row<'a, DB>,
    {
        let range = 0..row.field_count();
        let mut first = [const { None }; FEW_FIELDS];
        first.iter_mut().zip(range.clone()).for_each(|(field, i)| *field = row.get(i));
        let many = range.end > FEW_FIELDS;
        let others = if many { (FEW_FIELDS..range.end).filter_map(|i| row.get(i)).collect() } else { Vec::new() };
        read(&RowRef { fields: &FieldList { first, others, marker: PhantomData }, range })
    }

    /// Returns the fields of `range` as a row of their own, with indices from zero.
    pub(crate) fn window(&self, range: Range<usize>) -> RowRef<'r, DB> {
        let start = self.range.start;
        RowRef { fields: self.fields, range: start + range.start..start + range.end }
    }
}

trait Values<DB: Backend> {
    fn value(&self, index: usize) -> Option<DB::RawValue<'_>>;
    fn name(&self, index: usize) -> Option<&str>;
}

/// The number of fields that a row keeps without an allocation.
const FEW_FIELDS: usize = 8;

struct FieldList<'f, F> {
    first: [Option<F>; FEW_FIELDS],
    others: Vec<F>,
    marker: PhantomData<&'f ()>,
}

impl<F> FieldList<'_, F> {
    fn get(&self, index: usize) -> Option<&F> {
        self.first.get(index).map_or_else(|| self.others.get(index - FEW_FIELDS), Option::as_ref)
    }
}

impl<'f, F, DB> Values<DB> for FieldList<'f, F>
where
    DB: Backend,
    F: Field<'f, DB>,
{
    fn value(&self, index: usize) -> Option<DB::RawValue<'_>> {
        self.get(index)?.value()
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.get(index)?.field_name()
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
