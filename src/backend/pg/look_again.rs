//! The second look: sent when a row that a query chose changed before it was locked, or if the query depends on other rows.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::words::{choice, from_table_among, groups, in_hashed, key_name, key_names, key_value, union_all};
use crate::sql::{Chosen, List, Wanted, helper_name};

/// Asks the queries again, now that the rows are held, without locking anything.
///
/// A query without a limit is asked about the doubtful rows only: rows that match it just now were not part of its
/// answer, and must not become locked out of order. A limited query is asked as a whole, since it may choose another row
/// in place of one that left. All rows that are held come along: the next look must know them too.
///
/// ```sql
/// WITH wanted (k0) AS MATERIALIZED (SELECT unnest($firm) UNION ALL (..limited query..)
///   UNION ALL (SELECT * FROM (..query..) AS again (k0) WHERE k0 = ANY($doubtful)))
/// SELECT cols, t.id IN (SELECT unnest(ARRAY(SELECT unnest($held)))), t.id IN (SELECT unnest(ARRAY(SELECT k0 FROM wanted)))
/// FROM t INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT k0 FROM wanted UNION ALL SELECT unnest($held)))) AS among (k0)
///   ON t.id = among.k0 ORDER BY t.id
/// ```
pub(super) struct LookAgain<'q> {
    pub(super) wanted: &'q dyn Wanted<Pg>,
    pub(super) choices: &'q [Chosen<'q, Pg>],
    /// Ask every query as a whole, and about what was asked for by key too: is anything wanted that is not held?
    pub(super) whole: bool,
}

impl LookAgain<'_> {
    fn walk_wanted<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let width = self.wanted.key_width();
        pass.push_sql("WITH ");
        pass.push_sql(helper_name!("wanted"));
        pass.push_sql(" (");
        key_names(&mut pass, width);
        pass.push_sql(") AS MATERIALIZED (");
        self.wanted.walk_list(if self.whole { List::Asked } else { List::Firm }, pass.reborrow())?;
        for limited in groups(self.choices) {
            let choices: Vec<_> = self.choices.iter().filter(|chosen| chosen.shape.limited == limited).collect();
            let restricted = !(self.whole || limited);
            pass.push_sql(" UNION ALL ");
            if restricted {
                pass.push_sql("(SELECT * FROM (");
            }
            let several = choices.len() > 1;
            union_all(&mut pass, 0..choices.len(), &mut |pass, i| {
                let apart = several || !restricted;
                pass.push_sql(if apart { "(" } else { "" });
                choice(pass, choices[i], self.wanted, None, false)?;
                pass.push_sql(if apart { ")" } else { "" });
                Ok(())
            })?;
            if restricted {
                pass.push_sql(") AS \"again\" (");
                key_names(&mut pass, width);
                pass.push_sql(") WHERE (");
                key_names(&mut pass, width);
                pass.push_sql(")");
                self.wanted.walk_in_list(List::Doubtful, pass.reborrow())?;
                pass.push_sql(")");
            }
        }
        pass.push_sql(") ");
        Ok(())
    }

    fn walk_wanted_keys(&self, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql("SELECT ");
        key_names(pass, self.wanted.key_width());
        self.walk_from_wanted(pass);
    }

    fn walk_from_wanted(&self, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql(" FROM ");
        pass.push_sql(helper_name!("wanted"));
    }
}

impl QueryFragment<Pg> for LookAgain<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.walk_wanted(pass.reborrow())?;
        pass.push_sql("SELECT ");
        self.wanted.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, self.wanted)?;
        self.wanted.walk_in_hashed_list(List::Held, pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, self.wanted)?;
        in_hashed(&mut pass, self.wanted.key_width(), &key_name, &|pass| self.walk_from_wanted(pass));
        from_table_among(&mut pass, self.wanted, |pass| {
            self.walk_wanted_keys(pass);
            pass.push_sql(" UNION ALL ");
            self.wanted.walk_list(List::Held, pass.reborrow())
        })?;
        pass.push_sql(" ORDER BY ");
        self.wanted.walk_key(pass)
    }
}
