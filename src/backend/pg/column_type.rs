//! Arrays of keys whose type is chosen by the server.

use std::{io::Write as _, marker::PhantomData};

use diesel::{
    pg::{Pg, PgTypeMetadata},
    query_builder::{BindCollector, bind_collector::RawBytesBindCollector},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Array, HasSqlType},
};

/// An array with the type of the column that it is compared with, encoded as an array of `ST`.
///
/// Diesel's `Text` may be a `varchar`, a `char(5)`, a `citext` or a `name`, and its `Timestamp` a `timestamptz`. Sent as `text[]`, a key is
/// compared as text: a key that was read from a `char(5)` is not found (its blanks count), and the index of a `citext` is not used. So the
/// parameter is sent without a type, and the server [takes that of the other side][unspecified]. The bytes that Diesel reads as an `ST` and
/// those that it writes for one are the same, so the column's own input function reads them. A cast to the column's type would have to know
/// the name of the type. A `UNION ALL` with the column keeps `text` beside a `citext`, and fails beside a `"char"`.
///
/// The array also contains the type of its elements. Since version 14 the server compares that type only where it [belongs to the
/// system][check].
///
/// [unspecified]: https://www.postgresql.org/docs/current/sql-prepare.html
/// [check]: https://github.com/postgres/postgres/commit/670c0a1d474bf296dbcc1d6de912d4841f2ed643
#[derive(Debug)]
pub(super) struct ArrayOfColumn<ST>(PhantomData<ST>);

/// The position of the element type's OID in the array: behind the number of dimensions and the flags.
const ELEMENT_TYPE: std::ops::Range<usize> = 8..12;

/// An OID that is none of the system's, which end at 16,383.
const UNSPECIFIED_ELEMENT: u32 = u32::MAX;

impl<ST> HasSqlType<ArrayOfColumn<ST>> for Pg {
    fn metadata(_: &mut Self::MetadataLookup) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
    }
}

impl<ST, K> ToSql<ArrayOfColumn<ST>, Pg> for [K]
where
    ST: 'static,
    Pg: HasSqlType<ST>,
    K: ToSql<ST, Pg>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let mut sent = RawBytesBindCollector::<Pg>::new();
        sent.push_bound_value::<Array<ST>, [K]>(self, out.metadata_lookup())?;
        let mut bytes = sent.binds.pop().flatten().unwrap_or_default();
        if let Some(element) = bytes.get_mut(ELEMENT_TYPE) {
            element.copy_from_slice(&UNSPECIFIED_ELEMENT.to_be_bytes());
        }
        out.write_all(&bytes)?;
        Ok(IsNull::No)
    }
}
