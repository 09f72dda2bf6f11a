//! The statement that locks and loads rows by key, by query, or both.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::words::{choice, from_table_among, key_names, key_value, locking_clause, walk_position};
use crate::{
    mode::{Strength, Wait},
    sql::{Chosen, List, TableName, Wanted, helper_name},
};

/// One table, all models of it, their keys and queries.
///
/// Keys alone: `SELECT cols FROM t WHERE id = ANY($1) ORDER BY id FOR UPDATE OF t`.
///
/// With queries, they choose first, and the position (`ctid`) of each row they chose tells afterwards whether the row is
/// still the one they saw; after a wait PostgreSQL checks only the outer condition again, not the helper table:
///
/// ```sql
/// WITH wanted (o, c, k0) AS MATERIALIZED ((SELECT t.tableoid, t.ctid, t.id FROM t ..the query..))
/// SELECT cols, t.id = ANY($1), CASE WHEN (t.tableoid, t.ctid) IN (SELECT o, c FROM wanted) THEN 1
///                   WHEN t.id IN (SELECT k0 FROM wanted) THEN 2 ELSE 0 END
/// FROM t WHERE t.id = ANY(ARRAY(SELECT unnest($1) UNION ALL SELECT k0 FROM wanted))
/// ORDER BY t.id FOR UPDATE OF t
/// ```
///
/// No row may come back because none was chosen, or because what was chosen was deleted while it was waited for. Where that
/// makes a difference, all of the above is `locked` in
///
/// ```sql
/// SELECT locked.*, EXISTS (SELECT FROM wanted) FROM (VALUES (1)) AS once LEFT JOIN (SELECT .., true ..) AS locked ON true
/// ```
pub(super) struct LockRows<'q> {
    pub(super) name: &'q TableName,
    pub(super) parts: Vec<(&'q dyn Wanted<Pg>, &'q [Chosen<'q, Pg>])>,
    pub(super) list: List,
    /// Nothing: only look.
    pub(super) lock: Option<(Strength, Wait)>,
    /// Say behind each query's number how many rows it chose, whether they came back or not. Of a limited query this is said
    /// in any case: if a row that it chose was deleted meanwhile, another takes its place.
    pub(super) count: bool,
}

/// What the queries choose.
const WANTED: &str = helper_name!("wanted");

impl<'q> LockRows<'q> {
    fn choices(&self) -> impl Iterator<Item = (&'q dyn Wanted<Pg>, &'q Chosen<'q, Pg>)> {
        self.parts.iter().flat_map(|&(wanted, choices)| choices.iter().map(move |choice| (wanted, choice)))
    }

    /// Rows may come for several reasons; then each part says of each row whether it asked for it by key. The server
    /// compares: it may hold keys for equal that Rust does not, such as a time that is finer than its column.
    fn mixed(&self) -> bool {
        self.parts.len() > 1 || self.choices().next().is_some()
    }

    /// Whether there is a helper table in it.
    pub(super) fn has_helpers(&self) -> bool {
        self.parts.len() > 1 || self.parts[0].0.key_width() > 1 || self.choices().next().is_some()
    }

    fn counts(&self, chosen: &Chosen<'_, Pg>) -> bool {
        self.count || chosen.shape.limited
    }

    /// Whether an answer comes even if no row does.
    pub(super) fn says_if_empty(&self) -> bool {
        let asks_again = self.count || matches!(self.lock, Some((_, Wait::Block)));
        asks_again && self.choices().any(|(_, chosen)| self.counts(chosen))
    }

    fn several(&self) -> bool {
        self.choices().nth(1).is_some()
    }

    /// The rows that the queries choose, numbered by query if there are several.
    fn walk_wanted<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("WITH ");
        pass.push_sql(WANTED);
        pass.push_sql(if self.several() { " (\"q\", \"o\", \"c\", " } else { " (\"o\", \"c\", " });
        key_names(&mut pass, self.parts[0].0.key_width());
        pass.push_sql(") AS MATERIALIZED (");
        for (i, (wanted, chosen)) in self.choices().enumerate() {
            pass.push_sql(if i == 0 { "(" } else { ") UNION ALL (" });
            choice(&mut pass, chosen, wanted, self.several().then_some(i), true)?;
        }
        pass.push_sql(")) ");
        Ok(())
    }

    /// 1: query `i` chose the row as it is. 2: it chose it, but the row changed. 0: it did not choose it.
    fn walk_sight<'b>(
        &'b self,
        i: usize,
        chosen: &Chosen<'_, Pg>,
        wanted: &'b dyn Wanted<Pg>,
        mut pass: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        pass.push_sql(", CASE WHEN (");
        walk_position(&mut pass, wanted)?;
        pass.push_sql(") IN (SELECT \"o\", \"c\"");
        self.walk_from_wanted(i, &mut pass);
        pass.push_sql(") THEN 1 WHEN ");
        key_value(&mut pass, wanted)?;
        pass.push_sql(" IN (SELECT ");
        key_names(&mut pass, wanted.key_width());
        self.walk_from_wanted(i, &mut pass);
        pass.push_sql(") THEN 2 ELSE 0 END");
        if self.counts(chosen) {
            pass.push_sql(", (SELECT count(DISTINCT (");
            key_names(&mut pass, wanted.key_width());
            pass.push_sql("))");
            self.walk_from_wanted(i, &mut pass);
            pass.push_sql(")");
        }
        Ok(())
    }

    fn walk_from_wanted(&self, i: usize, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql(" FROM ");
        pass.push_sql(WANTED);
        if self.several() {
            pass.push_sql(" WHERE \"q\" = ");
            pass.push_sql(&i.to_string());
        }
    }

    fn walk_from<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.parts[0].0;
        let mut lists: Vec<_> = self.parts.iter().map(|part| part.0).filter(|part| part.has(self.list)).collect();
        let queries = self.choices().next().is_some();
        match (lists.pop(), queries) {
            (Some(only), false) if lists.is_empty() && table.key_width() == 1 => {
                pass.push_sql(" FROM ");
                table.walk_table(pass.reborrow())?;
                pass.push_sql(" WHERE ");
                table.walk_key(pass.reborrow())?;
                only.walk_in_list(self.list, pass)
            }
            (last, _) => from_table_among(&mut pass, table, |pass| {
                let mut separator = "";
                for part in lists.into_iter().chain(last) {
                    pass.push_sql(separator);
                    part.walk_list(self.list, pass.reborrow())?;
                    separator = " UNION ALL ";
                }
                if queries {
                    pass.push_sql(separator);
                    pass.push_sql("SELECT ");
                    key_names(pass, table.key_width());
                    pass.push_sql(" FROM ");
                    pass.push_sql(WANTED);
                }
                Ok(())
            }),
        }
    }

    /// `SELECT .. FOR UPDATE`
    fn walk_locked<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.parts[0].0;
        let mut separator = "SELECT ";
        for (part, _) in &self.parts {
            pass.push_sql(separator);
            part.walk_columns(pass.reborrow())?;
            separator = ", ";
        }
        let mut i = 0;
        for (part, choices) in &self.parts {
            if self.mixed() && part.has(self.list) {
                pass.push_sql(", ");
                key_value(&mut pass, *part)?;
                part.walk_in_list(self.list, pass.reborrow())?;
            }
            for chosen in *choices {
                self.walk_sight(i, chosen, *part, pass.reborrow())?;
                i += 1;
            }
        }
        if self.says_if_empty() {
            pass.push_sql(", true");
        }
        self.walk_from(pass.reborrow())?;
        pass.push_sql(" ORDER BY ");
        table.walk_key(pass.reborrow())?;
        match self.lock {
            Some((strength, wait)) => locking_clause(&mut pass, strength, Some(self.name), wait),
            None => Ok(()),
        }
    }
}

impl QueryFragment<Pg> for LockRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.choices().next().is_some() {
            self.walk_wanted(pass.reborrow())?;
        }
        if !self.says_if_empty() {
            return self.walk_locked(pass);
        }
        pass.push_sql("SELECT \"locked\".*, EXISTS (SELECT FROM ");
        pass.push_sql(WANTED);
        pass.push_sql(") FROM (VALUES (1)) AS \"once\" LEFT JOIN (");
        self.walk_locked(pass.reborrow())?;
        pass.push_sql(") AS \"locked\" ON true");
        Ok(())
    }
}
