//! Finds rows that row-level security shows and does not let this session lock.
//!
//! A locking clause applies the policies for `UPDATE` besides those for `SELECT`, whatever its strength, and leaves out the rows that they
//! hide as if they did not match ([manual][policies]). A row that is left out has no holder, so the server is asked for each such row
//! whether it passes the policies. A locking clause is added to a query whose last condition records the row's position and is false. The
//! policies are evaluated before that condition, because a function that is not leakproof must not see what they hide ([manual][rules]),
//! and no row gets as far as being locked.
//!
//! The alternative is to read the expressions of the policies and evaluate them in a query of this crate. It would have to parse them, bind
//! their columns, and know which of them apply to the role.
//!
//! [policies]: https://www.postgresql.org/docs/current/sql-createpolicy.html
//! [rules]: https://www.postgresql.org/docs/current/rules-privileges.html

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{Array, Bool, Nullable, Text},
};

use super::{
    fragments::{from_table_among, locking_clause},
    reader::ModelReader,
};
use crate::{
    backend::{HidesRows, RowSink},
    diesel_internals::{RowRef, Statement},
    error::LockObstacle,
    mode::{Strength, Wait},
    sql::{Keys, ModelText, TableName},
};

/// The CTE that records the positions of the rows that pass the policies. The spaces in its name keep it from hiding a user's table.
const PASSED: &str = "\"lockset: passed\"";

/// Reads the rows of a list that exist, whether each can be locked, and whether the role may read the names of the policies. Locks nothing.
///
/// ```sql
/// WITH passed AS MATERIALIZED (SELECT FROM t WHERE id = ANY($list)
///   AND (SELECT set_config('diesel_lockset.passed', '', true)) IS NOT NULL
///   AND row_security_active($t)
///   AND set_config('diesel_lockset.passed',
///     current_setting(..) || ';' || .. || tableoid || ctid, true) IS NULL
///   FOR KEY SHARE OF t SKIP LOCKED)
/// SELECT cols, NOT row_security_active($t)
///     OR position(';' || .. || tableoid || ctid IN current_setting(..)) > 0,
///   has_table_privilege(..)
/// FROM t WHERE id = ANY($list) AND (SELECT count(*) FROM passed) = 0
/// ORDER BY id
/// ```
pub(super) struct AbsentRows<'q> {
    pub(super) name: &'q TableName,
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) keys: &'q dyn Keys<Pg>,
}

impl AbsentRows<'_> {
    fn walk_from<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        from_table_among(pass, self.text, |pass| self.keys.walk(pass.reborrow()))
    }
}

impl QueryFragment<Pg> for AbsentRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let AbsentRows { name, text, .. } = *self;
        walk_passed(&mut pass, name, |pass| self.walk_from(pass))?;
        pass.push_sql(" SELECT ");
        text.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        walk_passes(&mut pass, name)?;
        pass.push_sql(MAY_NAME);
        self.walk_from(&mut pass)?;
        walk_when_passed(&mut pass);
        pass.push_sql(" ORDER BY ");
        text.walk_key(pass)
    }
}

/// Reads the rows of [`AbsentRows`].
pub(super) struct AbsentReader<'e> {
    pub(super) model: ModelReader<'e>,
    /// True if the call does not wait, so that a row that can be locked and was not is held by another session.
    pub(super) held: bool,
    pub(super) may_name: &'e mut bool,
}

impl RowSink<Pg> for AbsentReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        let ModelReader { rows, outcome, width, .. } = &mut self.model;
        let passes = row.get_value::<Bool, bool, _>(*width)?;
        *self.may_name = row.get_value::<Bool, bool, _>(*width + 1)?;
        let number = rows.number(&row.window(0..*width))?;
        match (passes, self.held) {
            (false, _) => outcome.is_unlockable(number),
            (true, true) => outcome.is_skipped(number),
            (true, false) => outcome.is_there(number),
        }
        Ok(())
    }
}

/// Reads which of the rows with the given keys, as text, this role cannot lock, and whether the role may read the names of the policies.
pub(super) struct HiddenRows<'q> {
    pub(super) key: &'q dyn QueryFragment<Pg>,
    pub(super) table: &'q TableName,
    pub(super) among: &'q [String],
}

impl HiddenRows<'_> {
    fn walk_key<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("(");
        self.key.walk_ast(pass.reborrow())?;
        pass.push_sql(")::text");
        Ok(())
    }

    fn walk_from<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(" FROM ");
        pass.push_sql(self.table.quoted());
        pass.push_sql(" WHERE pg_catalog.row_security_active(");
        pass.push_bind_param::<Text, str>(self.table.quoted())?;
        pass.push_sql(") AND ");
        self.walk_key(pass)?;
        pass.push_sql(" = ANY(");
        pass.push_bind_param::<Array<Text>, [String]>(self.among)?;
        pass.push_sql(")");
        Ok(())
    }
}

impl QueryFragment<Pg> for HiddenRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk_passed(&mut pass, self.table, |pass| self.walk_from(pass))?;
        pass.push_sql(" SELECT ");
        self.walk_key(&mut pass)?;
        pass.push_sql(MAY_NAME);
        self.walk_from(&mut pass)?;
        walk_when_passed(&mut pass);
        pass.push_sql(" AND NOT (");
        walk_passes(&mut pass, self.table)?;
        pass.push_sql(")");
        Ok(())
    }
}

/// Reads the names of the policies for `UPDATE` that apply to the role, as one text.
pub(super) struct Policies<'q>(pub(super) &'q TableName);

impl QueryFragment<Pg> for Policies<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(\"polname\"), ', ' ORDER BY \"polname\") FROM \"pg_catalog\".\"pg_policy\" \
             WHERE \"polcmd\" IN ('w', '*') AND (\"polroles\" = '{0}' OR EXISTS (SELECT FROM unnest(\"polroles\") AS \"role\" \
             WHERE pg_catalog.pg_has_role(\"role\", 'USAGE'))) AND \"polrelid\" = pg_catalog.to_regclass(",
        );
        pass.push_bind_param::<Text, str>(self.0.quoted())?;
        pass.push_sql(")");
        Ok(())
    }
}

/// Reads the row of [`Policies`].
pub(super) struct PoliciesReader<'e>(pub(super) &'e mut Option<String>);

impl RowSink<Pg> for PoliciesReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        *self.0 = policies(row)?;
        Ok(())
    }
}

fn policies(row: &RowRef<'_, Pg>) -> deserialize::Result<Option<String>> {
    row.get_value::<Nullable<Text>, Option<String>, _>(0)
}

/// The statements about hidden rows of a single query.
pub(super) const HIDES_ROWS: HidesRows<Pg> = HidesRows {
    among: |key, table, among| Statement::new(HiddenRows { key, table, among }),
    hidden: |row| Ok((row.get_value::<Text, String, _>(0)?, row.get_value::<Bool, bool, _>(1)?)),
    why: |table| Statement::new(Policies(table)),
    reason: |row| Ok(LockObstacle::RowSecurity { policies: row.map(policies).transpose()?.flatten() }),
};

/// The column that reports whether the role may read the policies. Without the right, a statement that reads the catalog aborts the
/// transaction.
const MAY_NAME: &str = ", pg_catalog.has_table_privilege('pg_catalog.pg_policy', 'SELECT')";

/// Writes the CTE that records which rows of `from` pass the policies. `from` ends in a condition.
fn walk_passed<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    table: &'b TableName,
    from: impl FnOnce(&mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    pass.push_sql("WITH ");
    pass.push_sql(PASSED);
    pass.push_sql(" AS MATERIALIZED (SELECT");
    from(pass)?;
    // Clears what another statement of the transaction has recorded.
    pass.push_sql(" AND (SELECT pg_catalog.set_config('diesel_lockset.passed', '', true)) IS NOT NULL AND pg_catalog.row_security_active(");
    pass.push_bind_param::<Text, str>(table.quoted())?;
    pass.push_sql(") AND pg_catalog.set_config('diesel_lockset.passed', pg_catalog.concat(pg_catalog.current_setting('diesel_lockset.passed', true), ");
    walk_place(pass, table)?;
    pass.push_sql("), true) IS NULL");
    locking_clause(pass, Strength::KeyShare, Some(table), Wait::SkipLocked)?;
    pass.push_sql(")");
    Ok(())
}

fn walk_passes<'b>(pass: &mut AstPass<'_, 'b, Pg>, table: &'b TableName) -> QueryResult<()> {
    pass.push_sql("NOT pg_catalog.row_security_active(");
    pass.push_bind_param::<Text, str>(table.quoted())?;
    pass.push_sql(") OR coalesce(position(pg_catalog.concat(");
    walk_place(pass, table)?;
    pass.push_sql(") IN pg_catalog.current_setting('diesel_lockset.passed', true)) > 0, false)");
    Ok(())
}

/// Writes the condition that makes the server run the CTE first.
fn walk_when_passed(pass: &mut AstPass<'_, '_, Pg>) {
    pass.push_sql(" AND (SELECT count(*) FROM ");
    pass.push_sql(PASSED);
    pass.push_sql(") = 0");
}

/// Writes the position of a row: `';', statement_timestamp(), t.tableoid, t.ctid`.
///
/// It includes the time, which differs for every statement: where the policies hide all rows, the condition that clears the record is not
/// evaluated.
fn walk_place(pass: &mut AstPass<'_, '_, Pg>, table: &TableName) -> QueryResult<()> {
    for (before, column) in [("';', pg_catalog.statement_timestamp(), ", "tableoid"), (", ", "ctid")] {
        pass.push_sql(before);
        pass.push_identifier(table.bare())?;
        pass.push_sql(".");
        pass.push_identifier(column)?;
    }
    Ok(())
}
