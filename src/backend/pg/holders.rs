//! Finds the sessions that hold the rows that a set wants.

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{Bool, Text},
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
/// session is found by number, a session that has written something and holds a lock on the table may be the holder.
pub(super) struct Holders<'q> {
    pub(super) name: &'q TableName,
    pub(super) models: Vec<ModelSql<'q>>,
}

// Functions and operators are the server's own, whatever the search path is: a user's function would run here unnoticed.
impl QueryFragment<Pg> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.models[0].text;
        pass.push_sql("WITH ");
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
        pass.push_sql(MARKED);
        pass.push_sql(" AS (SELECT * FROM ");
        pass.push_sql(SESSION);
        pass.push_sql(" WHERE \"transactionid\" OPERATOR(pg_catalog.=) ANY (SELECT ");
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
        pass.push_sql(")) SELECT DISTINCT ");
        pass.push_sql(SESSION_NAMES);
        pass.push_sql(", \"told\" FROM (SELECT *, true AS \"told\" FROM ");
        pass.push_sql(MARKED);
        pass.push_sql(" UNION ALL SELECT *, false FROM ");
        pass.push_sql(SESSION);
        pass.push_sql(" WHERE \"relation\" OPERATOR(pg_catalog.=) pg_catalog.to_regclass(");
        pass.push_bind_param::<Text, str>(self.name.quoted())?;
        pass.push_sql(") AND \"database\" OPERATOR(pg_catalog.=) ");
        pass.push_sql(THIS_DATABASE);
        pass.push_sql(" AND \"mode\" OPERATOR(pg_catalog.<>) 'AccessShareLock' AND NOT EXISTS (SELECT FROM ");
        pass.push_sql(MARKED);
        pass.push_sql(")) AS \"holder\" ORDER BY \"pid\"");
        Ok(())
    }
}

/// The columns that describe a session; `activity` is its row of `pg_stat_activity`.
pub(super) const SELECT_HOLDER: &str = concat!("SELECT ", session_columns!("activity"));

/// The OID of this database. A relation's OID is unique only within its database: a database made from a template has the same ones.
pub(super) const THIS_DATABASE: &str = "(SELECT \"oid\" FROM \"pg_catalog\".\"pg_database\" \
     WHERE \"datname\" OPERATOR(pg_catalog.=) pg_catalog.current_database())";

const SESSION: &str = helper_name!("session");
const MARKED: &str = helper_name!("marked");

/// Reads the holder of a row.
pub(super) fn row_holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
    let told = row.get_value::<Bool, bool, _>(SESSION_WIDTH)?;
    Ok(Holder::new(session(row)?, if told { Evidence::Told } else { Evidence::OneOfAll })?)
}

/// Reads the holder of an advisory lock.
pub(super) fn holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
    Ok(Holder::new(session(row)?, Evidence::Told)?)
}
