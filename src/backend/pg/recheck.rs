//! The recheck: evaluates the queries of a model again after its rows are locked.
//!
//! It is sent if a row that a query chose changed before it was locked, if the query depends on other rows, or if rows of a limited query
//! did not come back. In a call that does not wait it is sent if any chosen or requested row did not come back.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::fragments::{choice, from_table_among, groups, in_hashed, key_name, key_names, key_value, union_all};
use crate::sql::{Chosen, Keys, ModelText, helper_name};

/// Evaluates the queries again now that the rows are locked, without locking anything.
///
/// A query without a limit is asked about the doubtful rows only: rows that have begun to match were not part of its answer, and must not
/// be locked out of order. A limited query is asked as a whole, since it may choose another row in place of one that left. All locked rows
/// come back too, because the next recheck must know them.
///
/// ```sql
/// WITH wanted (k0) AS MATERIALIZED (
///   SELECT unnest($firm) UNION ALL (..limited query..)
///   UNION ALL (SELECT * FROM (..query..) AS again (k0) WHERE k0 = ANY($doubtful)))
/// SELECT cols, t.id IN (SELECT unnest(ARRAY(SELECT unnest($held)))),
///   t.id IN (SELECT unnest(ARRAY(SELECT k0 FROM wanted)))
/// FROM t
///   INNER JOIN (SELECT DISTINCT unnest(ARRAY(
///       SELECT k0 FROM wanted UNION ALL SELECT unnest($held)))) AS among (k0)
///     ON t.id = among.k0
/// ORDER BY t.id
/// ```
pub(super) struct Recheck<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) choices: &'q [Chosen<'q, Pg>],
    /// All requested keys, if the call does not wait: the recheck then includes them and every query as a whole, and finds all rows that
    /// are wanted and not locked.
    pub(super) whole: Option<&'q dyn Keys<Pg>>,
    pub(super) lists: &'q Lists,
}

/// The key lists of a recheck.
#[derive(Debug)]
pub(super) struct Lists {
    /// Keys of rows that are wanted, whatever a query reports.
    pub(super) firm: Box<dyn Keys<Pg>>,
    /// Keys of rows that are wanted if a query without a limit still chooses them.
    pub(super) doubtful: Box<dyn Keys<Pg>>,
    /// Keys of all locked rows.
    pub(super) held: Box<dyn Keys<Pg>>,
}

impl Recheck<'_> {
    fn walk_wanted<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let width = self.text.key_width();
        pass.push_sql("WITH ");
        pass.push_sql(helper_name!("wanted"));
        pass.push_sql(" (");
        key_names(&mut pass, width);
        pass.push_sql(") AS MATERIALIZED (");
        self.whole.unwrap_or(&*self.lists.firm).walk(pass.reborrow())?;
        for limited in groups(self.choices) {
            let choices: Vec<_> = self.choices.iter().filter(|chosen| chosen.shape.limited == limited).collect();
            let restricted = !(self.whole.is_some() || limited);
            pass.push_sql(" UNION ALL ");
            if restricted {
                pass.push_sql("(SELECT * FROM (");
            }
            let several = choices.len() > 1;
            union_all(&mut pass, 0..choices.len(), &mut |pass, i| {
                let apart = several || !restricted;
                pass.push_sql(if apart { "(" } else { "" });
                choice(pass, choices[i], self.text, None, false)?;
                pass.push_sql(if apart { ")" } else { "" });
                Ok(())
            })?;
            if restricted {
                pass.push_sql(") AS \"again\" (");
                key_names(&mut pass, width);
                pass.push_sql(") WHERE (");
                key_names(&mut pass, width);
                pass.push_sql(")");
                self.lists.doubtful.walk_in(pass.reborrow())?;
                pass.push_sql(")");
            }
        }
        pass.push_sql(") ");
        Ok(())
    }

    fn walk_wanted_keys(&self, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql("SELECT ");
        key_names(pass, self.text.key_width());
        self.walk_from_wanted(pass);
    }

    fn walk_from_wanted(&self, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql(" FROM ");
        pass.push_sql(helper_name!("wanted"));
    }
}

impl QueryFragment<Pg> for Recheck<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.walk_wanted(pass.reborrow())?;
        pass.push_sql("SELECT ");
        self.text.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, self.text)?;
        self.lists.held.walk_in_hashed(pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, self.text)?;
        in_hashed(&mut pass, self.text.key_width(), &key_name, &|pass| self.walk_from_wanted(pass));
        from_table_among(&mut pass, self.text, |pass| {
            self.walk_wanted_keys(pass);
            pass.push_sql(" UNION ALL ");
            self.lists.held.walk(pass.reborrow())
        })?;
        pass.push_sql(" ORDER BY ");
        self.text.walk_key(pass)
    }
}

/// Reads locked rows in the server's order: `SELECT cols FROM t .. ORDER BY key`.
pub(super) struct HeldRows<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) keys: &'q dyn Keys<Pg>,
}

impl QueryFragment<Pg> for HeldRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        self.text.walk_columns(pass.reborrow())?;
        from_table_among(&mut pass, self.text, |pass| self.keys.walk(pass.reborrow()))?;
        pass.push_sql(" ORDER BY ");
        self.text.walk_key(pass)
    }
}
