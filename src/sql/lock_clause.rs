//! Splits a locked query into its `SELECT` parts and the list of its locking clauses, so that each backend can write all clauses together.

use std::any::TypeId;

use diesel::{
    backend::{Backend, DieselReserveSpecialization},
    query_builder::{AstPass, BoxedLimitOffsetClause, QueryFragment, QueryId},
    query_source::QuerySource,
    result::QueryResult,
};

use super::{
    any_select::type_determines_text,
    row_lock::{LockStrength, RowLock},
    table_name::TableName,
};
use crate::{
    diesel_internals::{BoxedSelectStatement, FromClause, SelectStatement, is_empty},
    mode::{Strength, Wait},
};

/// A locking clause: the table whose rows are locked, the strength, and the wait policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LockClause {
    pub(crate) table: TableName,
    pub(crate) strength: Strength,
    pub(crate) wait: Wait,
}

impl LockClause {
    /// Returns the merged clauses of a query.
    pub(crate) fn of<DB: Backend>(query: &dyn LockedQuery<DB>) -> QueryResult<Vec<Self>> {
        let mut clauses = Vec::new();
        query.add_clauses(&mut clauses)?;
        Ok(Self::merged(clauses))
    }

    /// Merges the clauses of each table into one, with the strongest strength, and with `SKIP LOCKED` if any of the clauses has it.
    /// PostgreSQL does the same with several clauses for one table.
    ///
    /// Tables are compared by their bare names, since a locking clause names no schema.
    pub(crate) fn merged(clauses: Vec<Self>) -> Vec<Self> {
        if clauses.len() == 1 {
            return clauses;
        }
        let mut merged: Vec<Self> = Vec::new();
        for clause in clauses {
            match merged.iter_mut().find(|same| same.table.bare() == clause.table.bare()) {
                Some(same) => {
                    same.strength = same.strength.max(clause.strength);
                    same.wait = if same.wait == Wait::Block { clause.wait } else { same.wait };
                }
                None => merged.push(clause),
            }
        }
        merged
    }
}

/// A query, with or without locking clauses of this crate. It is written in two parts, so that a backend can write something in front of it
/// or between them.
pub(crate) trait LockedQuery<DB: Backend> {
    /// Returns the clause that makes the rows of a boxed query unlockable, if there is one. The types of a boxed query do not show its
    /// clauses.
    fn unlockable(&self) -> QueryResult<Option<&'static str>>;

    /// Returns an id that is shared only by queries with the same text, apart from the locking clauses; `None` if the type alone does not
    /// determine the text.
    fn static_id(&self) -> Option<TypeId>;

    /// Writes `SELECT .. FROM ..`, with all joins.
    fn walk_tables<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes everything between the tables and the locking clauses.
    fn walk_rest<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Appends the locking clauses, in the order in which they were added to the query.
    fn add_clauses(&self, clauses: &mut Vec<LockClause>) -> QueryResult<()>;
}

/// The methods that are the same for both kinds of statement, since their fields have the same names.
macro_rules! walk_tables {
    () => {
        fn walk_tables<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            pass.push_sql("SELECT ");
            self.distinct.walk_ast(pass.reborrow())?;
            self.select.walk_ast(pass.reborrow())?;
            self.from.walk_ast(pass)
        }

        fn add_clauses(&self, _: &mut Vec<LockClause>) -> QueryResult<()> {
            Ok(())
        }
    };
}

impl<DB, F, S, D, W, O, LOf> LockedQuery<DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: Backend + Default,
    F: QuerySource,
    FromClause<F>: QueryFragment<DB>,
    S: QueryFragment<DB>,
    D: QueryFragment<DB>,
    W: QueryFragment<DB>,
    O: QueryFragment<DB>,
    LOf: QueryFragment<DB>,
    Self: QueryId,
{
    walk_tables!();

    fn unlockable(&self) -> QueryResult<Option<&'static str>> {
        Ok(None)
    }

    fn static_id(&self) -> Option<TypeId> {
        let pieces: [&dyn QueryFragment<DB>; 6] =
            [&self.distinct, &self.select, &self.from, &self.where_clause, &self.order, &self.limit_offset];
        type_determines_text(Self::query_id(), &pieces)
    }

    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.where_clause.walk_ast(pass.reborrow())?;
        self.order.walk_ast(pass.reborrow())?;
        self.limit_offset.walk_ast(pass)
    }
}

impl<'q, ST, F, DB> LockedQuery<DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: Backend + DieselReserveSpecialization + Default,
    F: QuerySource,
    FromClause<F>: QueryFragment<DB>,
    BoxedLimitOffsetClause<'q, DB>: QueryFragment<DB>,
{
    walk_tables!();

    fn unlockable(&self) -> QueryResult<Option<&'static str>> {
        Ok(if !is_empty(&self.distinct)? {
            Some("DISTINCT")
        } else if !is_empty(&self.group_by)? {
            Some("GROUP BY")
        } else if !is_empty(&self.having)? {
            Some("HAVING")
        } else {
            None
        })
    }

    fn static_id(&self) -> Option<TypeId> {
        None
    }

    /// Writes no grouping, which [`unlockable`](Self::unlockable) rejects.
    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.where_clause.walk_ast(pass.reborrow())?;
        if let Some(order) = &self.order {
            pass.push_sql(" ORDER BY ");
            order.walk_ast(pass.reborrow())?;
        }
        self.limit_offset.walk_ast(pass)
    }
}

impl<DB, Q, S, L, W> LockedQuery<DB> for RowLock<Q, S, L, W>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
    Q: LockedQuery<DB>,
    S: QuerySource<FromClause: QueryFragment<DB> + 'static>,
    L: LockStrength<DB>,
{
    fn unlockable(&self) -> QueryResult<Option<&'static str>> {
        self.query.unlockable()
    }

    fn static_id(&self) -> Option<TypeId> {
        self.query.static_id()
    }

    fn walk_tables<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_tables(pass)
    }

    fn walk_rest<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_rest(pass)
    }

    fn add_clauses(&self, clauses: &mut Vec<LockClause>) -> QueryResult<()> {
        self.query.add_clauses(clauses)?;
        let (table, wait) = (TableName::of_type::<DB, _>(&self.table.from_clause())?, self.wait_policy.wait());
        clauses.push(LockClause { table, strength: L::STRENGTH, wait });
        if wait != Wait::Block {
            clauses.iter_mut().for_each(|clause| clause.wait = wait);
        }
        Ok(())
    }
}

/// A query node that writes a locked query without its locking clauses.
pub(crate) struct WithoutClauses<'q, DB: Backend>(pub(crate) &'q dyn LockedQuery<DB>);

impl<DB: Backend> QueryFragment<DB> for WithoutClauses<'_, DB> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_tables(pass.reborrow())?;
        self.0.walk_rest(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRENGTHS: [Strength; 4] = [Strength::KeyShare, Strength::Share, Strength::NoKeyUpdate, Strength::Update];

    fn clauses() -> Vec<LockClause> {
        let table = |name: &str| TableName::parse(format!("\"{name}\""));
        let waits = [Wait::Block, Wait::SkipLocked];
        let all = ["a", "b"].map(table).into_iter().flat_map(|table| {
            let of_table = STRENGTHS.into_iter().flat_map(move |strength| waits.map(move |wait| (strength, wait)));
            of_table.map(move |(strength, wait)| LockClause { table: table.clone(), strength, wait })
        });
        all.collect()
    }

    /// Over all lists of up to three clauses of two tables.
    #[test]
    fn a_merge_keeps_each_table_once_at_the_strongest_and_is_idempotent() {
        let all = clauses();
        let lists = all.iter().flat_map(|one| {
            let pairs = all.iter().map(move |two| vec![one.clone(), two.clone()]);
            let triples = all.iter().flat_map({
                let all = &all;
                move |two| all.iter().map(move |three| vec![one.clone(), two.clone(), three.clone()])
            });
            std::iter::once(vec![one.clone()]).chain(pairs).chain(triples)
        });
        let mut count = 0;
        for list in lists {
            count += 1;
            let merged = LockClause::merged(list.clone());
            assert_eq!(LockClause::merged(merged.clone()), merged, "{list:?}");
            for (i, clause) in merged.iter().enumerate() {
                assert!(merged[..i].iter().all(|other| other.table != clause.table), "twice: {list:?}");
                let of_table = || list.iter().filter(|one| one.table == clause.table);
                assert_eq!(Some(clause.strength), of_table().map(|one| one.strength).max(), "{list:?}");
                let skips = of_table().any(|one| one.wait == Wait::SkipLocked);
                assert_eq!(clause.wait == Wait::SkipLocked, skips, "{list:?}");
            }
            let kept = |one: &LockClause| merged.iter().any(|clause| clause.table == one.table);
            assert!(list.iter().all(kept), "lost: {list:?}");
        }
        assert_eq!(count, 16 + 16 * 16 + 16 * 16 * 16);
    }
}
