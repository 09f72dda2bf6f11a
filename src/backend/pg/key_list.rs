//! Key lists as arrays: one bind parameter per key column, whatever the number of keys.
//!
//! The text of a statement is therefore the same for two keys and for a million, Diesel's statement cache serves all of them, and the limit
//! of 65,535 parameters does not matter.

use std::{
    any::{Any, TypeId},
    cmp::Ordering,
};

use diesel::{
    Column,
    expression::Expression,
    pg::{Pg, PgMetadataLookup, PgTypeMetadata},
    query_builder::{AstPass, BindCollector, QueryFragment, bind_collector::RawBytesBindCollector},
    result::QueryResult,
    serialize::ToSql,
    sql_types::{Array, BigInt, HasSqlType, Integer, SingleValue, SmallInt, SqlType, Uuid},
};

use super::column_type::ArrayOfColumn;
use crate::{key::LockKey, lockable::One, sql::KeyList};

impl<K, C, ST> KeyList<Pg, K> for One<C>
where
    C: Expression<SqlType = ST> + TypedColumn,
    ST: SqlType + SingleValue + 'static,
    K: LockKey + ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    type Columns = Source<C>;
    const WIDTH: usize = 1;

    fn is_exact() -> bool {
        exact::<ST>()
    }

    fn compare(one: &K, other: &K) -> Option<Ordering> {
        compare::<ST, K>(one, other)
    }

    fn columns(_: &[K]) -> Self::Columns {
        Source::default()
    }

    fn walk<'b>(keys: &'b [K], source: &'b Source<C>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        source.walk_unnest(keys, pass)
    }

    fn walk_in<'b>(keys: &'b [K], _: &'b Source<C>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(" = ANY(");
        walk_array::<ST, K>(keys, pass.reborrow())?;
        pass.push_sql(")");
        Ok(())
    }

    /// Writes ` = $1`. For an array the server makes a plan at each call, since it expects ten keys in one that it does not know: 25 of 70 us.
    fn walk_only<'b>(keys: &'b [K], source: &'b Source<C>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let [only] = keys else { return Self::walk_in(keys, source, pass) };
        if !exact::<ST>() {
            return Self::walk_in(keys, source, pass);
        }
        pass.push_sql(" = ");
        pass.push_bind_param::<ST, K>(only)
    }

    fn walk_in_hashed<'b>(keys: &'b [K], source: &'b Source<C>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(" IN (SELECT unnest(ARRAY(");
        Self::walk(keys, source, pass.reborrow())?;
        pass.push_sql(")))");
        Ok(())
    }
}

macro_rules! composite_keys {
    ($($width:literal: $(($K:ident, $C:ident, $ST:ident, $i:tt)),+;)*) => {$(
        impl<$($K, $C, $ST),+> KeyList<Pg, ($($K,)+)> for ($($C,)+)
        where
            $(
                $C: Expression<SqlType = $ST> + TypedColumn,
                $ST: SqlType + SingleValue + 'static,
                $K: LockKey + ToSql<$ST, Pg>,
                Pg: HasSqlType<$ST>,
            )+
        {
            type Columns = ($((Vec<$K>, Source<$C>),)+);
            const WIDTH: usize = $width;

            fn is_exact() -> bool {
                $(exact::<$ST>())&&+
            }

            fn compare(one: &($($K,)+), other: &($($K,)+)) -> Option<Ordering> {
                let mut order = Ordering::Equal;
                $(order = order.then(compare::<$ST, $K>(&one.$i, &other.$i)?);)+
                Some(order)
            }

            fn columns(keys: &[($($K,)+)]) -> Self::Columns {
                ($((keys.iter().map(|key| key.$i.clone()).collect(), Source::default()),)+)
            }

            /// Writes several `unnest` in one select list, which the server expands in parallel.
            fn walk<'b>(
                _: &'b [($($K,)+)],
                columns: &'b Self::Columns,
                mut pass: AstPass<'_, 'b, Pg>,
            ) -> QueryResult<()> {
                let mut separator = "SELECT ";
                $(
                    pass.push_sql(separator);
                    columns.$i.1.walk_unnest(&columns.$i.0, pass.reborrow())?;
                    separator = ", ";
                )+
                let _ = separator;
                Ok(())
            }

            fn walk_in<'b>(
                keys: &'b [($($K,)+)],
                columns: &'b Self::Columns,
                mut pass: AstPass<'_, 'b, Pg>,
            ) -> QueryResult<()> {
                pass.push_sql(" IN (");
                Self::walk(keys, columns, pass.reborrow())?;
                pass.push_sql(")");
                Ok(())
            }

            fn walk_in_hashed<'b>(
                _: &'b [($($K,)+)],
                columns: &'b Self::Columns,
                mut pass: AstPass<'_, 'b, Pg>,
            ) -> QueryResult<()> {
                let mut separator = " IN (SELECT ";
                $(
                    pass.push_sql(separator);
                    pass.push_sql("unnest(ARRAY(SELECT ");
                    columns.$i.1.walk_unnest(&columns.$i.0, pass.reborrow())?;
                    pass.push_sql("))");
                    separator = ", ";
                )+
                let _ = separator;
                pass.push_sql(")");
                Ok(())
            }
        }
    )*};
}

composite_keys! {
    2: (K0, C0, S0, 0), (K1, C1, S1, 1);
    3: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2);
    4: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3);
    5: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4);
    6: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5);
    7: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5),
       (K6, C6, S6, 6);
    8: (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5),
       (K6, C6, S6, 6), (K7, C7, S7, 7);
}

/// Returns whether two keys that differ in Rust always differ on the server: true for integers and UUIDs.
///
/// A text may have a collation that treats different letters as equal, and a time in Rust is finer than one on the server.
fn exact<ST: 'static>() -> bool {
    [TypeId::of::<SmallInt>(), TypeId::of::<Integer>(), TypeId::of::<BigInt>(), TypeId::of::<Uuid>()]
        .contains(&TypeId::of::<ST>())
}

/// Compares two keys of an [exact](exact) type in the server's order; `None` for other types.
///
/// Keys other than `i64` and `i32` are compared by the bytes that are sent: the highest byte comes first, and numbers have a sign.
fn compare<ST, K>(one: &K, other: &K) -> Option<Ordering>
where
    ST: 'static,
    K: LockKey + ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    let integers: [&dyn Any; 2] = [one, other];
    if let [Some(one), Some(other)] = integers.map(|key| key.downcast_ref::<i64>()) {
        return Some(one.cmp(other));
    }
    if let [Some(one), Some(other)] = integers.map(|key| key.downcast_ref::<i32>()) {
        return Some(one.cmp(other));
    }
    if !exact::<ST>() {
        return None;
    }
    let sent = |key: &K| {
        let mut sent = RawBytesBindCollector::<Pg>::new();
        sent.push_bound_value::<ST, K>(key, &mut BuiltIn).ok()?;
        let mut bytes = sent.binds.pop()??;
        let sign = if TypeId::of::<ST>() == TypeId::of::<Uuid>() { 0 } else { 0x80 };
        *bytes.first_mut()? ^= sign;
        Some(bytes)
    };
    Some(sent(one)?.cmp(&sent(other)?))
}

/// The type lookup for [exact] types. They are built in, so Diesel never looks up their OIDs.
struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
    }
}

/// A column that `table!` defines.
#[doc(hidden)]
pub trait TypedColumn: Column<Table: QueryFragment<Pg> + Default + Send> + QueryFragment<Pg> + Default + Send {}

impl<C> TypedColumn for C where C: Column<Table: QueryFragment<Pg> + Default + Send> + QueryFragment<Pg> + Default + Send
{}

/// The column and the table from which a key list takes its type.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Source<C: Column> {
    column: C,
    table: C::Table,
}

impl<C: TypedColumn> Source<C> {
    /// Writes the keys as rows: `unnest($1)`, with the type and the collation of the column.
    ///
    /// Only with these are `SELECT DISTINCT` and a comparison with the column correct and able to use the index. Nothing is read from the
    /// table. The inner `COALESCE` has the base type of a domain: a key that is only looked for must not fail the domain's checks.
    fn walk_unnest<'b, K>(&'b self, keys: &'b [K], mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()>
    where
        C: Expression<SqlType: SqlType + SingleValue>,
        K: ToSql<C::SqlType, Pg>,
        Pg: HasSqlType<C::SqlType>,
    {
        let exact = exact::<C::SqlType>();
        pass.push_sql(if exact { "unnest(" } else { "unnest(COALESCE(" });
        walk_array::<C::SqlType, K>(keys, pass.reborrow())?;
        if !exact {
            pass.push_sql(", ARRAY(SELECT COALESCE(");
            self.column.walk_ast(pass.reborrow())?;
            pass.push_sql(", NULL) FROM ");
            self.table.walk_ast(pass.reborrow())?;
            pass.push_sql(" WHERE false))");
        }
        pass.push_sql(")");
        Ok(())
    }
}

fn walk_array<'b, ST, K>(keys: &'b [K], mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()>
where
    ST: SqlType + SingleValue + 'static,
    K: ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    if exact::<ST>() {
        pass.push_bind_param::<Array<ST>, [K]>(keys)
    } else {
        pass.push_bind_param::<ArrayOfColumn<ST>, [K]>(keys)
    }
}
