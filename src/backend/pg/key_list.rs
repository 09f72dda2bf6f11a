//! Keys as arrays: one bind parameter per key column, whatever the number of keys.
//!
//! So the text of a statement is the same for one key and for a million, Diesel's statement cache serves all of them, and
//! the limit of 65,535 parameters does not matter.

use std::any::TypeId;

use diesel::{
    expression::Expression,
    pg::Pg,
    query_builder::AstPass,
    result::QueryResult,
    serialize::ToSql,
    sql_types::{Array, BigInt, HasSqlType, Integer, SingleValue, SmallInt, SqlType, Uuid},
};

use crate::{key::LockKey, lockable::One, sql::KeyList};

impl<K, C, ST> KeyList<Pg, K> for One<C>
where
    C: Expression<SqlType = ST>,
    ST: SqlType + SingleValue + 'static,
    K: LockKey + ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    type Columns = ();
    const WIDTH: usize = 1;

    fn is_exact() -> bool {
        exact::<ST>()
    }

    fn columns(_: &[K]) -> Self::Columns {}

    fn walk<'b>(keys: &'b [K], (): &'b (), mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SELECT unnest(");
        pass.push_bind_param::<Array<ST>, [K]>(keys)?;
        pass.push_sql(")");
        Ok(())
    }

    fn walk_in<'b>(keys: &'b [K], (): &'b (), mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(" = ANY(");
        pass.push_bind_param::<Array<ST>, [K]>(keys)?;
        pass.push_sql(")");
        Ok(())
    }
}

macro_rules! composite_keys {
    ($($width:literal: $(($K:ident, $C:ident, $ST:ident, $i:tt)),+;)*) => {$(
        impl<$($K, $C, $ST),+> KeyList<Pg, ($($K,)+)> for ($($C,)+)
        where
            $(
                $C: Expression<SqlType = $ST>,
                $ST: SqlType + SingleValue + 'static,
                $K: LockKey + ToSql<$ST, Pg>,
                Pg: HasSqlType<$ST>,
            )+
        {
            type Columns = ($(Vec<$K>,)+);
            const WIDTH: usize = $width;

            fn is_exact() -> bool {
                $(exact::<$ST>())&&+
            }

            fn columns(keys: &[($($K,)+)]) -> Self::Columns {
                ($(keys.iter().map(|key| key.$i.clone()).collect(),)+)
            }

            /// Several `unnest` in one select list run side by side.
            fn walk<'b>(
                _: &'b [($($K,)+)],
                columns: &'b Self::Columns,
                mut pass: AstPass<'_, 'b, Pg>,
            ) -> QueryResult<()> {
                let mut separator = "SELECT ";
                $(
                    pass.push_sql(separator);
                    pass.push_sql("unnest(");
                    pass.push_bind_param::<Array<$ST>, Vec<$K>>(&columns.$i)?;
                    pass.push_sql(")");
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

/// Numbers and UUIDs are. A text may have a collation that does not tell letters apart, and a time of Rust's is finer than one of
/// the server's.
fn exact<ST: 'static>() -> bool {
    [TypeId::of::<SmallInt>(), TypeId::of::<Integer>(), TypeId::of::<BigInt>(), TypeId::of::<Uuid>()]
        .contains(&TypeId::of::<ST>())
}
