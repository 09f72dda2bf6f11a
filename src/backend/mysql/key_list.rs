//! Writes keys as lists of bind parameters, since these servers have no arrays.
//!
//! A list is filled up to a power of two with its last key, so that the server keeps statistics of few statement texts. A key that occurs
//! twice in a list has the same effect as once.

use std::any::Any;

use diesel::{
    expression::Expression,
    mysql::{Mysql, MysqlType},
    query_builder::AstPass,
    result::QueryResult,
    serialize::ToSql,
    sql_types::{HasSqlType, SingleValue, SqlType},
};

use crate::{
    diesel_internals::bytes_of,
    key::LockKey,
    lockable::One,
    sql::{KeyList, Rank, filled},
};

impl<K, C, ST> KeyList<Mysql, K> for One<C>
where
    C: Expression<SqlType = ST>,
    ST: SqlType + SingleValue + 'static,
    K: LockKey + ToSql<ST, Mysql>,
    Mysql: HasSqlType<ST>,
{
    type Columns = ();
    const WIDTH: usize = 1;

    fn columns(_: &[K]) -> Self::Columns {}

    fn walk<'b>(keys: &'b [K], (): &'b (), mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        // MariaDB 10.11 and 11.8 find only some of the rows of `TIMESTAMP` keys that are listed as parameters.
        let timestamps = <Mysql as HasSqlType<ST>>::metadata(&mut ()) == MysqlType::Timestamp;
        for (i, key) in filled(keys).enumerate() {
            pass.push_sql(if i == 0 { "" } else { ", " });
            pass.push_sql(if timestamps { "CAST(" } else { "" });
            pass.push_bind_param::<ST, K>(key)?;
            pass.push_sql(if timestamps { " AS DATETIME(6))" } else { "" });
        }
        Ok(())
    }

    fn walk_in<'b>(keys: &'b [K], (): &'b (), mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(" IN (");
        Self::walk(keys, &(), pass.reborrow())?;
        pass.push_sql(")");
        Ok(())
    }

    fn walk_numbered<'b>(keys: &'b [K], (): &'b (), first: usize, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        for (i, key) in keys.iter().enumerate() {
            pass.push_sql(" UNION ALL SELECT ");
            pass.push_bind_param::<ST, K>(key)?;
            pass.push_sql(&format!(", {}", first + i));
        }
        Ok(())
    }

    fn is_exact() -> bool {
        is_integer::<ST>()
    }

    fn ranks(keys: &[K]) -> Option<Vec<Rank>> {
        keys.iter().map(|key| integer::<ST, K>(key).map(Rank::One)).collect()
    }
}

macro_rules! composite_keys {
    ($($width:literal: $(($K:ident, $C:ident, $ST:ident, $i:tt)),+;)*) => {$(
        impl<$($K, $C, $ST),+> KeyList<Mysql, ($($K,)+)> for ($($C,)+)
        where
            $(
                $C: Expression<SqlType = $ST>,
                $ST: SqlType + SingleValue + 'static,
                $K: LockKey + ToSql<$ST, Mysql>,
                Mysql: HasSqlType<$ST>,
            )+
        {
            type Columns = ();
            const WIDTH: usize = $width;

            fn columns(_: &[($($K,)+)]) -> Self::Columns {}

            fn walk<'b>(keys: &'b [($($K,)+)], (): &'b (), mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
                for (i, key) in filled(keys).enumerate() {
                    pass.push_sql(if i == 0 { "" } else { ", " });
                    let mut separator = "(";
                    $(
                        pass.push_sql(separator);
                        pass.push_bind_param::<$ST, $K>(&key.$i)?;
                        separator = ", ";
                    )+
                    let _ = separator;
                    pass.push_sql(")");
                }
                Ok(())
            }

            fn walk_in<'b>(keys: &'b [($($K,)+)], (): &'b (), mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
                pass.push_sql(" IN (");
                Self::walk(keys, &(), pass.reborrow())?;
                pass.push_sql(")");
                Ok(())
            }

            fn walk_numbered<'b>(
                keys: &'b [($($K,)+)],
                (): &'b (),
                first: usize,
                mut pass: AstPass<'_, 'b, Mysql>,
            ) -> QueryResult<()> {
                for (i, key) in keys.iter().enumerate() {
                    pass.push_sql(" UNION ALL SELECT ");
                    $(
                        pass.push_bind_param::<$ST, $K>(&key.$i)?;
                        pass.push_sql(", ");
                    )+
                    pass.push_sql(&(first + i).to_string());
                }
                Ok(())
            }

            fn is_exact() -> bool {
                $(is_integer::<$ST>())&&+
            }

            fn ranks(keys: &[($($K,)+)]) -> Option<Vec<Rank>> {
                keys.iter().map(|key| Some(Rank::Several(vec![$(integer::<$ST, $K>(&key.$i)?),+]))).collect()
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

/// Returns whether the value that is sent for a column is an integer, which Rust compares as the server does.
fn is_integer<ST>() -> bool
where
    Mysql: HasSqlType<ST>,
{
    use MysqlType::{Long, LongLong, Short, Tiny, UnsignedLong, UnsignedLongLong, UnsignedShort, UnsignedTiny};
    matches!(
        <Mysql as HasSqlType<ST>>::metadata(&mut ()),
        Tiny | UnsignedTiny | Short | UnsignedShort | Long | UnsignedLong | LongLong | UnsignedLongLong
    )
}

/// Returns the integer that the server compares for a key column, if it is one. The type of the sent value decides, not the Rust type.
///
/// Integers of the column's own size are sent as they are; other keys are read from what is sent.
fn integer<ST, K>(key: &K) -> Option<i128>
where
    K: LockKey + ToSql<ST, Mysql>,
    Mysql: HasSqlType<ST>,
{
    let (key_as_any, kind): (&dyn Any, _) = (key, <Mysql as HasSqlType<ST>>::metadata(&mut ()));
    match (kind, key_as_any.downcast_ref(), key_as_any.downcast_ref()) {
        (MysqlType::LongLong, Some(number), _) => return Some(i64::into(*number)),
        (MysqlType::Long, _, Some(number)) => return Some(i32::into(*number)),
        _ => {}
    }
    let (kind, bytes) = bytes_of::<Mysql, ST, K>(key)?;
    Some(match kind {
        MysqlType::Tiny => i8::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::UnsignedTiny => u8::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::Short => i16::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::UnsignedShort => u16::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::Long => i32::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::UnsignedLong => u32::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::LongLong => i64::from_ne_bytes(bytes.try_into().ok()?).into(),
        MysqlType::UnsignedLongLong => u64::from_ne_bytes(bytes.try_into().ok()?).into(),
        _ => return None,
    })
}
