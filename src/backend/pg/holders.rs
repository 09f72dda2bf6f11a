//! Finds the sessions that hold the rows that a set wants.

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{Integer, Text},
};

use super::{
    fragments::{choice, from_table_among, key_names, union_all},
    model::ModelSql,
    session::{SESSION_NAMES, SESSION_WIDTH, session, session_columns},
};
use crate::{
    diesel_internals::RowRef,
    error::{Evidence, Holder},
    sql::{TableName, helper_name},
};

/// Reads the sessions whose transactions marked the rows.
///
/// A row lock is stored in the row itself (`xmax`), and a transaction holds a lock on its own number. A savepoint has a number of its own,
/// whose lock is gone when the savepoint is released, and a row that several sessions share has one number for all of them. So if no
/// session is found by number, a session that has written something and holds a lock on the table, or on a part of it, may be the holder.
/// One that is alone with that is the holder if the number is one of a transaction in progress, and no prepared transaction has such a lock.
///
/// Transactions and groups of sessions that share a row are counted apart. A number that may be one of both is taken for neither's.
pub(super) struct Holders<'q> {
    pub(super) name: &'q TableName,
    pub(super) models: Vec<ModelSql<'q>>,
}

// Functions and operators are the server's own, whatever the search path is: a user's function would run here unnoticed.
impl QueryFragment<Pg> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.models[0].text;
        pass.push_sql("WITH RECURSIVE ");
        pass.push_sql(SESSION);
        pass.push_sql(" AS MATERIALIZED (");
        pass.push_sql(SELECT_HOLDER);
        // The activity of sessions is read once per transaction unless its snapshot is cleared first. A condition without columns is
        // evaluated before anything is read.
        pass.push_sql(
            ", \"transactionid\", \"relation\", \"database\", \"mode\" FROM \"pg_catalog\".\"pg_stat_activity\" AS \"activity\" \
             INNER JOIN \"pg_catalog\".\"pg_locks\" AS \"held\" ON \"held\".\"pid\" OPERATOR(pg_catalog.=) \"activity\".\"pid\" AND \"granted\" \
             WHERE \"activity\".\"pid\" OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND \"backend_xid\" IS NOT NULL \
             AND (SELECT pg_catalog.pg_stat_clear_snapshot()) IS NOT NULL), ",
        );
        pass.push_sql(NUMBER);
        pass.push_sql(NUMBERS);
        table.walk_table(pass.reborrow())?;
        pass.push_sql(".\"xmax\"");
        from_table_among(&mut pass, table, |pass| {
            let lists = self.models.iter().filter(|model| !model.keys.is_empty()).map(|model| (model, None));
            let queries =
                self.models.iter().flat_map(|model| model.choices.iter().map(move |chosen| (model, Some(chosen))));
            let sources: Vec<_> = lists.chain(queries).collect();
            union_all(pass, 0..sources.len(), &mut |pass, i| {
                let (ModelSql { text, .. }, Some(chosen)) = sources[i] else {
                    return sources[i].0.keys.walk(pass.reborrow());
                };
                pass.push_sql("SELECT * FROM (");
                choice(pass, chosen, *text, None, false)?;
                pass.push_sql(") AS \"asked\" (");
                key_names(pass, text.key_width());
                pass.push_sql(")");
                Ok(())
            })
        })?;
        pass.push_sql(IN_PROGRESS);
        pass.push_sql(FAMILY);
        pass.push_sql(" (\"oid\") AS (SELECT pg_catalog.to_regclass(");
        pass.push_bind_param::<Text, str>(self.name.quoted())?;
        for piece in
            [")::pg_catalog.oid UNION SELECT \"inhrelid\" FROM \"pg_catalog\".\"pg_inherits\" INNER JOIN ", FAMILY]
        {
            pass.push_sql(piece);
        }
        pass.push_sql(" ON \"inhparent\" OPERATOR(pg_catalog.=) \"oid\"), ");
        for piece in [
            MARKED,
            " AS (SELECT * FROM ",
            SESSION,
            " WHERE \"transactionid\" OPERATOR(pg_catalog.=) ANY (SELECT \"xmax\" FROM ",
        ] {
            pass.push_sql(piece);
        }
        pass.push_sql(NUMBER);
        pass.push_sql(" WHERE NOT \"shared\")) SELECT DISTINCT ");
        pass.push_sql(SESSION_NAMES);
        for piece in [
            ", \"told\" FROM (SELECT *, 2 AS \"told\" FROM ",
            MARKED,
            " UNION ALL SELECT *, CASE WHEN EXISTS (SELECT FROM ",
        ] {
            pass.push_sql(piece);
        }
        pass.push_sql(NUMBER);
        pass.push_sql(" WHERE NOT \"shared\" AND \"in_progress\") AND NOT EXISTS (SELECT FROM \"pg_catalog\".\"pg_locks\" WHERE \"pid\" IS NULL AND ");
        locks_the_family(&mut pass);
        for piece in [") THEN 1 ELSE 0 END FROM ", SESSION, " WHERE "] {
            pass.push_sql(piece);
        }
        locks_the_family(&mut pass);
        pass.push_sql(" AND NOT EXISTS (SELECT FROM ");
        pass.push_sql(MARKED);
        pass.push_sql(")) AS \"holder\" ORDER BY \"pid\"");
        Ok(())
    }
}

/// Writes the condition of a lock on the table or on a part of it.
fn locks_the_family(pass: &mut AstPass<'_, '_, Pg>) {
    for piece in [
        "\"relation\" OPERATOR(pg_catalog.=) ANY (SELECT \"oid\" FROM ",
        FAMILY,
        ") AND \"database\" OPERATOR(pg_catalog.=) ",
    ] {
        pass.push_sql(piece);
    }
    pass.push_sql(THIS_DATABASE);
    pass.push_sql(" AND \"mode\" OPERATOR(pg_catalog.<>) 'AccessShareLock'");
}

/// The columns that describe a session; `activity` is its row of `pg_stat_activity`.
pub(super) const SELECT_HOLDER: &str = concat!("SELECT ", session_columns!("activity"));

/// The OID of this database. A relation's OID is unique only within its database: a database made from a template has the same ones.
pub(super) const THIS_DATABASE: &str = "(SELECT \"oid\" FROM \"pg_catalog\".\"pg_database\" \
     WHERE \"datname\" OPERATOR(pg_catalog.=) pg_catalog.current_database())";

const SESSION: &str = helper_name!("session");
const MARKED: &str = helper_name!("marked");
const FAMILY: &str = helper_name!("family");

/// The numbers of the rows, but for those of this session.
const NUMBER: &str = helper_name!("number");

/// Whether a number may be one of a group of sessions, and whether it is one of a transaction or savepoint in progress. The row has 32 of its
/// 64 bits; the others are those of a number that is less than half of all numbers away.
const NUMBERS: &str = " AS MATERIALIZED (SELECT \"xmax\", \"shared\", CASE WHEN \"shared\" THEN false \
     ELSE pg_catalog.txid_status(\"near\" OPERATOR(pg_catalog.+) ((((\"xmax\"::pg_catalog.text::pg_catalog.int8 OPERATOR(pg_catalog.-) \"near\") \
     OPERATOR(pg_catalog.+) 2147483648) OPERATOR(pg_catalog.&) 4294967295) OPERATOR(pg_catalog.-) 2147483648)) \
     OPERATOR(pg_catalog.=) 'in progress' END AS \"in_progress\" \
     FROM (SELECT \"xmax\", \"near\", pg_catalog.mxid_age(\"xmax\") OPERATOR(pg_catalog.>) 0 \
     AND pg_catalog.mxid_age(\"xmax\") OPERATOR(pg_catalog.<=) (SELECT pg_catalog.max(pg_catalog.mxid_age(\"datminmxid\")) \
     FROM \"pg_catalog\".\"pg_database\") AS \"shared\" FROM (SELECT ";

/// Ends the query of the numbers.
const IN_PROGRESS: &str = ") AS \"row\" CROSS JOIN pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS \"counted\" (\"near\") \
     WHERE \"xmax\" OPERATOR(pg_catalog.<>) '0' AND NOT EXISTS (SELECT FROM \"pg_catalog\".\"pg_locks\" AS \"own\" \
     WHERE \"own\".\"pid\" OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND \"own\".\"transactionid\" OPERATOR(pg_catalog.=) \"xmax\")) \
     AS \"kind\"), ";

/// Reads the holder of a row.
pub(super) fn row_holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
    let evidence = match row.get_value::<Integer, i32, _>(SESSION_WIDTH)? {
        2 => Evidence::Told,
        1 => Evidence::OneOfAll,
        _ => Evidence::OneOfSome,
    };
    Ok(Holder::new(session(row)?, evidence)?)
}

/// Reads the holder of an advisory lock.
pub(super) fn holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
    Ok(Holder::new(session(row)?, Evidence::Told)?)
}
