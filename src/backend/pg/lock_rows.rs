//! The statement that locks and loads rows by key, by query, or both.

use std::any::TypeId;

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{
    fragments::{
        choice, from_table_among, groups, in_hashed, key_name, key_names, key_value, locking_clause, tells_of_keys,
        union_all, walk_position,
    },
    model::ModelSql,
    table_guard::walk_guard,
};
use crate::{
    mode::{Strength, Wait},
    sql::{Chosen, Keys, LockClause, Lookup, ModelText, StatementKind, TableName, TextKey, helper_name, model_id},
};

/// The largest number of keys that are looked up as `= ANY($1)`; more keys are joined with the table.
///
/// The server searches such an array from its beginning for each row that changed while it was waited for, if the query plan is kept for
/// any array. Several keys whose order only the server knows are joined too: with the array, a row that got another of the keys during the
/// wait also comes back, and in the place of its old key.
const FEW_KEYS: usize = 5_000;

/// Locks and loads the rows of one table: all its models, their keys and queries. [`walk_guard`] comes first.
///
/// Keys alone: `SELECT cols FROM t WHERE id = ANY($1) ORDER BY id FOR UPDATE OF t`; one key: `WHERE id = $1`.
///
/// With queries, the queries choose first, in a CTE. The position (`ctid`) of each chosen row shows afterwards whether the row is still the
/// version that they saw. After a wait PostgreSQL checks only the outer condition again, not the CTE:
///
/// ```sql
/// WITH wanted (o, c, k0) AS MATERIALIZED (
///   (SELECT t.tableoid, t.ctid, t.id FROM t ..the query..))
/// SELECT cols, CASE
///   WHEN t.id IN (SELECT unnest(ARRAY(SELECT unnest($1)))) THEN 3
///   WHEN (t.tableoid, t.ctid) IN (SELECT unnest(ARRAY(SELECT o FROM wanted)),
///                                        unnest(ARRAY(SELECT c FROM wanted)))
///     THEN 1
///   WHEN t.id IN (SELECT unnest(ARRAY(SELECT k0 FROM wanted))) THEN 2
///   ELSE 0 END
/// FROM t
///   INNER JOIN (SELECT DISTINCT unnest(ARRAY(
///       SELECT unnest($1) UNION ALL SELECT k0 FROM wanted))) AS among (k0)
///     ON t.id = among.k0
/// ORDER BY t.id FOR UPDATE OF t
/// ```
///
/// Whether a row was requested by key is a column of its own if the model's queries have limits, or if the rows that they chose are counted.
///
/// If no row comes back, either none was chosen, or the chosen rows were deleted during the wait. Where the difference matters, the
/// statement above becomes `locked` in
///
/// ```sql
/// SELECT locked.*, EXISTS (SELECT FROM wanted)
/// FROM (VALUES (1)) AS once LEFT JOIN (SELECT .., true ..) AS locked ON true
/// ```
pub(super) struct LockRows<'q> {
    pub(super) name: &'q TableName,
    pub(super) models: Vec<ModelSql<'q>>,
    pub(super) strength: Strength,
    pub(super) wait: Wait,
    /// True if each group's number is followed by the number of rows that it chose, whether they came back or not. For limited queries the
    /// number is always written: if a row that one of them chose was deleted in between, another takes its place.
    pub(super) count: bool,
}

/// The CTE of the rows that the queries choose.
const WANTED: &str = helper_name!("wanted");

impl<'q> LockRows<'q> {
    /// Returns the queries, each with the number of its group.
    fn choices(&self) -> Vec<(usize, &'q dyn ModelText<Pg>, &'q Chosen<'q, Pg>)> {
        let (mut all, mut before) = (Vec::new(), 0);
        for &ModelSql { text, choices, .. } in &self.models {
            let groups: Vec<_> = groups(choices).collect();
            let number = |chosen: &Chosen<'_, Pg>| before + usize::from(groups[0] != chosen.shape.limited);
            all.extend(choices.iter().map(|chosen| (number(chosen), text, chosen)));
            before += groups.len();
        }
        all
    }

    fn queries(&self) -> bool {
        self.models.iter().any(|model| !model.choices.is_empty())
    }

    /// Returns whether rows may come for several reasons. Then each model reports for each row whether it was requested by key. The server
    /// compares, because it may treat keys as equal that Rust distinguishes, such as a time that is finer than its column.
    fn mixed(&self) -> bool {
        self.models.len() > 1 || self.queries()
    }

    /// Returns the only list of keys, if it is looked up as an array.
    fn array(&self) -> Option<&'q dyn Keys<Pg>> {
        let mut lists = self.models.iter().map(|model| model.keys).filter(|keys| !keys.is_empty());
        let only = lists.next().filter(|only| self.table().key_width() == 1 && only.len() <= FEW_KEYS);
        let only = only.filter(|only| only.len() == 1 || only.has_order());
        only.filter(|_| lists.next().is_none() && !self.queries())
    }

    fn table(&self) -> &'q dyn ModelText<Pg> {
        self.models[0].text
    }

    /// Returns whether the statement has helper names.
    pub(super) fn has_helpers(&self) -> bool {
        self.array().is_none()
    }

    /// Returns the key of the text; `None` if models and queries can give another text at the next call.
    pub(super) fn text_key(&self) -> Option<TextKey> {
        let types = |model: &ModelSql<'_>| {
            let keys = (!model.keys.is_empty()).then(TypeId::of::<dyn Keys<Pg>>);
            Some([Some(model_id(model.text)?), keys])
        };
        let (first, mut more) = (types(&self.models[0])?, Vec::new());
        for (i, model) in self.models.iter().enumerate() {
            if i > 0 {
                more.extend(types(model)?);
            }
            for chosen in model.choices {
                more.push(Some(chosen.select().static_id()?));
            }
        }
        let clause = LockClause { table: self.name.clone(), strength: self.strength, wait: self.wait };
        let lookup = match self.array() {
            None => Lookup::Joined,
            Some(only) if only.len() == 1 => Lookup::One,
            Some(_) => Lookup::Array,
        };
        let kind = StatementKind::SetRows { clause, lookup, counts: self.count };
        Some(TextKey::of_set::<Pg>(kind, first).and(more))
    }

    fn counts(&self, limited: bool) -> bool {
        self.count || limited
    }

    /// Returns whether the answer has a row even if no row is locked.
    pub(super) fn says_if_empty(&self) -> bool {
        let asks_again = self.count || self.wait == Wait::Block;
        asks_again && self.models.iter().any(|model| groups(model.choices).any(|limited| self.counts(limited)))
    }

    fn several(&self) -> bool {
        self.models.iter().flat_map(|model| groups(model.choices)).nth(1).is_some()
    }

    /// Writes the CTE of the rows that the queries choose, numbered by group if there are several.
    fn walk_wanted<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let several = self.several();
        pass.push_sql(", ");
        pass.push_sql(WANTED);
        pass.push_sql(if several { " (\"q\", \"o\", \"c\", " } else { " (\"o\", \"c\", " });
        key_names(&mut pass, self.table().key_width());
        pass.push_sql(") AS MATERIALIZED (");
        let choices = self.choices();
        union_all(&mut pass, 0..choices.len(), &mut |pass, i| {
            let (group, text, chosen) = choices[i];
            pass.push_sql("(");
            choice(pass, chosen, text, several.then_some(group), true)?;
            pass.push_sql(")");
            Ok(())
        })?;
        pass.push_sql(")");
        Ok(())
    }

    /// Writes the number that reports whether a group chose the row.
    ///
    /// 3: the row is one of `asked`. 1: a query of the group chose the row as it is. 2: one chose it, but the row changed. 0: none chose it.
    fn walk_sight<'b>(
        &'b self,
        group: usize,
        limited: bool,
        text: &'b dyn ModelText<Pg>,
        asked: Option<&'b dyn Keys<Pg>>,
        mut pass: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        let from_wanted = |pass: &mut AstPass<'_, '_, Pg>| self.walk_from_wanted(group, pass);
        pass.push_sql(", CASE WHEN ");
        if let Some(keys) = asked {
            key_value(&mut pass, text)?;
            keys.walk_in_hashed(pass.reborrow())?;
            pass.push_sql(" THEN 3 WHEN ");
        }
        pass.push_sql("(");
        walk_position(&mut pass, text)?;
        pass.push_sql(")");
        in_hashed(&mut pass, 2, &|pass, i| pass.push_sql(["\"o\"", "\"c\""][i]), &from_wanted);
        pass.push_sql(" THEN 1 WHEN ");
        key_value(&mut pass, text)?;
        in_hashed(&mut pass, text.key_width(), &key_name, &from_wanted);
        pass.push_sql(" THEN 2 ELSE 0 END");
        if self.counts(limited) {
            pass.push_sql(", (SELECT count(DISTINCT (");
            key_names(&mut pass, text.key_width());
            pass.push_sql("))");
            self.walk_from_wanted(group, &mut pass);
            pass.push_sql(")");
        }
        Ok(())
    }

    fn walk_from_wanted(&self, group: usize, pass: &mut AstPass<'_, '_, Pg>) {
        pass.push_sql(" FROM ");
        pass.push_sql(WANTED);
        if self.several() {
            pass.push_sql(" WHERE \"q\" = ");
            pass.push_sql(&group.to_string());
        }
    }

    fn walk_from<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.table();
        if let Some(only) = self.array() {
            pass.push_sql(" FROM ");
            table.walk_table(pass.reborrow())?;
            pass.push_sql(" WHERE ");
            table.walk_key(pass.reborrow())?;
            return if only.len() == 1 { only.walk_only(pass) } else { only.walk_in(pass) };
        }
        from_table_among(&mut pass, table, |pass| {
            let mut separator = "";
            for keys in self.models.iter().map(|model| model.keys).filter(|keys| !keys.is_empty()) {
                pass.push_sql(separator);
                keys.walk(pass.reborrow())?;
                separator = " UNION ALL ";
            }
            if self.queries() {
                pass.push_sql(separator);
                pass.push_sql("SELECT ");
                key_names(pass, table.key_width());
                pass.push_sql(" FROM ");
                pass.push_sql(WANTED);
            }
            Ok(())
        })
    }

    /// Writes `SELECT .. FOR UPDATE`.
    fn walk_locked<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut separator = "SELECT ";
        for model in &self.models {
            pass.push_sql(separator);
            model.text.walk_columns(pass.reborrow())?;
            separator = ", ";
        }
        let mut group = 0;
        for ModelSql { text, keys, choices } in &self.models {
            let asked = Some(*keys).filter(|keys| self.mixed() && !keys.is_empty());
            let numbered = tells_of_keys(choices, self.count);
            if let Some(keys) = asked.filter(|_| !numbered) {
                pass.push_sql(", ");
                key_value(&mut pass, *text)?;
                keys.walk_in_hashed(pass.reborrow())?;
            }
            for limited in groups(choices) {
                let asked = asked.filter(|_| numbered && !limited);
                self.walk_sight(group, limited, *text, asked, pass.reborrow())?;
                group += 1;
            }
        }
        if self.says_if_empty() {
            pass.push_sql(", true");
        }
        self.walk_from(pass.reborrow())?;
        pass.push_sql(" ORDER BY ");
        self.table().walk_key(pass.reborrow())?;
        locking_clause(&mut pass, self.strength, Some(self.name), self.wait)
    }
}

impl QueryFragment<Pg> for LockRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk_guard(&mut pass, self.name);
        if self.queries() {
            self.walk_wanted(pass.reborrow())?;
        }
        pass.push_sql(" ");
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
