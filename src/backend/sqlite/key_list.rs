//! Writes keys as rows of bind parameters: `VALUES (?), (?)`.
//!
//! A list is filled up to a power of two with its last key, so that Diesel keeps few statement texts. A key that occurs twice in a list has
//! the same effect as once.

use std::{any::Any, cmp::Ordering};

use diesel::{
    expression::Expression,
    query_builder::AstPass,
    result::QueryResult,
    serialize::ToSql,
    sql_types::{HasSqlType, SingleValue, SqlType},
    sqlite::{Sqlite, SqliteType},
};

use crate::{
    key::LockKey,
    lockable::One,
    sql::{KeyList, filled},
};

/// The largest number of values in a list, once it is filled up. SQLite takes [32,766 values][limits] in a statement.
///
/// [limits]: https://www.sqlite.org/limits.html#max_variable_number
pub(super) const MOST_VALUES: usize = 16_384;

macro_rules! keys {
    ($($width:tt: $Key:ty, $Columns:ty, $(($K:ident, $C:ident, $ST:ident, $i:tt)),+;)*) => {$(
        impl<$($K, $C, $ST),+> KeyList<Sqlite, $Key> for $Columns
        where
            $(
                $C: Expression<SqlType = $ST>,
                $ST: SqlType + SingleValue + 'static,
                $K: LockKey + ToSql<$ST, Sqlite>,
                Sqlite: HasSqlType<$ST>,
            )+
        {
            type Columns = ();
            const WIDTH: usize = $width;

            fn columns(_: &[$Key]) -> Self::Columns {}

            fn walk<'b>(keys: &'b [$Key], (): &'b (), mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                let mut row = "VALUES (";
                for key in filled(keys) {
                    pass.push_sql(row);
                    let mut separator = "";
                    $(
                        pass.push_sql(separator);
                        pass.push_bind_param::<$ST, $K>(column!(key, $width, $i))?;
                        separator = ", ";
                    )+
                    let _ = separator;
                    row = "), (";
                }
                pass.push_sql(")");
                Ok(())
            }

            fn walk_in<'b>(keys: &'b [$Key], (): &'b (), mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                pass.push_sql(" IN (");
                Self::walk(keys, &(), pass.reborrow())?;
                pass.push_sql(")");
                Ok(())
            }

            fn walk_numbered<'b>(
                keys: &'b [$Key],
                (): &'b (),
                first: usize,
                mut pass: AstPass<'_, 'b, Sqlite>,
            ) -> QueryResult<()> {
                for (i, key) in keys.iter().enumerate() {
                    pass.push_sql(if i == 0 { "VALUES (" } else { ", (" });
                    $(
                        pass.push_bind_param::<$ST, $K>(column!(key, $width, $i))?;
                        pass.push_sql(", ");
                    )+
                    pass.push_sql(&(first + i).to_string());
                    pass.push_sql(")");
                }
                Ok(())
            }

            fn is_exact() -> bool {
                $(is_integer::<$ST>())&&+
            }

            fn compare(one: &$Key, other: &$Key) -> Option<Ordering> {
                let mut order = Ordering::Equal;
                $(order = order.then(compare::<$K>(column!(one, $width, $i), column!(other, $width, $i))?);)+
                Some(order)
            }
        }
    )*};
}

/// One column of a key, which is a tuple if it has several.
macro_rules! column {
    ($key:ident, 1, $i:tt) => {
        $key
    };
    ($key:ident, $width:tt, $i:tt) => {
        &$key.$i
    };
}

keys! {
    1: K0, One<C0>, (K0, C0, S0, 0);
    2: (K0, K1), (C0, C1), (K0, C0, S0, 0), (K1, C1, S1, 1);
    3: (K0, K1, K2), (C0, C1, C2), (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2);
    4: (K0, K1, K2, K3), (C0, C1, C2, C3),
       (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3);
    5: (K0, K1, K2, K3, K4), (C0, C1, C2, C3, C4),
       (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4);
    6: (K0, K1, K2, K3, K4, K5), (C0, C1, C2, C3, C4, C5),
       (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5);
    7: (K0, K1, K2, K3, K4, K5, K6), (C0, C1, C2, C3, C4, C5, C6),
       (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5),
       (K6, C6, S6, 6);
    8: (K0, K1, K2, K3, K4, K5, K6, K7), (C0, C1, C2, C3, C4, C5, C6, C7),
       (K0, C0, S0, 0), (K1, C1, S1, 1), (K2, C2, S2, 2), (K3, C3, S3, 3), (K4, C4, S4, 4), (K5, C5, S5, 5),
       (K6, C6, S6, 6), (K7, C7, S7, 7);
}

/// Returns whether a column has integers, which are equal in Rust if they are equal in SQLite.
fn is_integer<ST>() -> bool
where
    Sqlite: HasSqlType<ST>,
{
    let kind = <Sqlite as HasSqlType<ST>>::metadata(&mut ());
    matches!(kind, SqliteType::SmallInt | SqliteType::Integer | SqliteType::Long)
}

/// Compares two integers; `None` for other types. The collation of a column is not known, and neither is the order of the application's
/// own types.
fn compare<K: LockKey>(one: &K, other: &K) -> Option<Ordering> {
    let keys: [&dyn Any; 2] = [one, other];
    fn of<T: Ord + 'static>([one, other]: [&dyn Any; 2]) -> Option<Ordering> {
        Some(one.downcast_ref::<T>()?.cmp(other.downcast_ref()?))
    }
    of::<i64>(keys).or_else(|| of::<i32>(keys)).or_else(|| of::<i16>(keys))
}
