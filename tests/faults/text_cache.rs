//! Texts that are built once: pieces of a query whose type says that it determines their text, and which ask for some of their values to
//! be kept out of Diesel's statement cache.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use diesel::{
    backend::Backend,
    expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate},
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Bool, Text},
};
use diesel_lockset::{
    LockError, LockQueryDsl, LockSet, LockTransaction, Lockable, PickDsl, RunLockQuery, RunLockSet, RunLockTransaction,
};

use super::{Arena, Driver};
use crate::support::{driver::Session, models::Account, schema::accounts};

type Conn = <Driver as Session>::Conn;

/// All rows, or the one with this id.
#[derive(Debug, Clone, Copy, QueryId)]
struct Only(Option<i32>);

impl<DB: Backend> QueryFragment<DB> for Only {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Some(id) = self.0 else {
            pass.push_sql("1 = 1");
            return Ok(());
        };
        pass.unsafe_to_cache_prepared();
        pass.push_sql(&format!("id = {id}"));
        Ok(())
    }
}

impl Expression for Only {
    type SqlType = Bool;
}

impl<GB> ValidGrouping<GB> for Only {
    type IsAggregate = is_aggregate::Never;
}

impl<T> AppearsOnTable<T> for Only {}
impl<T> SelectableExpression<T> for Only {}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The next number, as a text.
#[derive(Debug, Clone, Copy, QueryId)]
struct Number;

impl<DB: Backend> QueryFragment<DB> for Number {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.unsafe_to_cache_prepared();
        pass.push_sql(&format!("'{}'", NUMBER.load(SeqCst)));
        Ok(())
    }
}

impl Expression for Number {
    type SqlType = Text;
}

impl<GB> ValidGrouping<GB> for Number {
    type IsAggregate = is_aggregate::Never;
}

impl<T> AppearsOnTable<T> for Number {}
impl<T> SelectableExpression<T> for Number {}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Numbered {
    id: i32,
    #[diesel(select_expression = Number)]
    number: String,
}

fn ids(rows: Vec<Account>) -> Vec<i32> {
    rows.into_iter().map(|account| account.id).collect()
}

type Call = fn(Only, &mut Conn) -> Result<Vec<i32>, LockError>;

const CALLS: [(&str, Call); 5] = [
    ("set", |only, conn| {
        let query = accounts::table.filter(only).filter(accounts::id.le(3));
        Ok(ids(LockSet::new().query::<Account>(query).lock(conn)?.take_rows()))
    }),
    ("query", |only, conn| {
        let query = accounts::table.filter(only).filter(accounts::id.le(3)).order(accounts::id);
        RunLockQuery::load(query.for_update_of(accounts::table), conn).map(ids)
    }),
    ("query that does not wait", |only, conn| {
        let query = accounts::table.filter(only).filter(accounts::id.le(3)).order(accounts::id);
        RunLockQuery::load(query.for_update_of(accounts::table).no_wait(), conn).map(ids)
    }),
    ("pick", |only, conn| {
        accounts::table.filter(only).filter(accounts::id.le(3)).order(accounts::id).pick(9, conn).map(ids)
    }),
    ("claim", |only, conn| {
        let query = accounts::table.filter(only).filter(accounts::id.le(3)).order(accounts::id);
        query.claim(9, accounts::v.eq(accounts::v + 1), conn).map(ids)
    }),
];

#[test]
fn a_piece_that_may_be_cached_for_some_values_only_is_sent_as_it_is() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (name, call) in CALLS {
        for (only, expected) in [(None, vec![1, 2, 3]), (Some(2), vec![2]), (None, vec![1, 2, 3]), (Some(3), vec![3])] {
            let rows = LockTransaction::new().run(session.conn(), |conn| call(Only(only), conn));
            assert_eq!(rows.unwrap(), expected, "{name}: {only:?}");
        }
    }
}

#[test]
fn the_columns_of_a_model_are_sent_as_they_are() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for number in 1..4 {
        NUMBER.store(number, SeqCst);
        let rows = LockTransaction::new().run(session.conn(), |conn| {
            let one = || accounts::table.filter(accounts::id.eq(1));
            let picked: Vec<Numbered> = one().pick(1, conn)?;
            let claimed: Vec<Numbered> = one().claim(1, accounts::v.eq(accounts::v + 1), conn)?;
            let locked = LockSet::new().id::<Numbered>(1).lock(conn)?.take_rows::<Numbered>();
            let rows = [picked, claimed, locked].into_iter().flatten();
            Ok::<_, LockError>(rows.map(|row| (row.id, row.number)).collect::<Vec<_>>())
        });
        assert_eq!(rows.unwrap(), vec![(1, number.to_string()); 3]);
    }
}

/// One query with one clause, as a locked query and as a pick: the statements are not the same.
#[test]
fn a_pick_and_a_locked_query_of_one_type_have_texts_of_their_own() {
    let arena = Arena::new();
    let rows: Vec<_> = (1_001..1_201).map(|id| format!("({id}, 'Zoe', 0, 0)")).collect();
    arena.execute(&format!("INSERT INTO accounts (id, owner, balance, v) VALUES {}", rows.join(", ")));
    let mut session = Driver::connect(arena.url());
    let query = || accounts::table.filter(accounts::id.gt(1_000)).order(accounts::id).for_update_of(accounts::table);
    let all = || query().skip_locked();
    let rows = LockTransaction::new().run(session.conn(), |conn| {
        let loaded: Vec<Account> = RunLockQuery::load(all(), conn)?;
        // So many are no part of the text.
        let picked: Vec<Account> = query().pick(150, conn)?;
        let few: Vec<Account> = query().pick(2, conn)?;
        let again: Vec<Account> = RunLockQuery::load(all(), conn)?;
        Ok::<_, LockError>([loaded, picked, few, again].map(|rows| rows.len()))
    });
    assert_eq!(rows.unwrap(), [200, 150, 2, 200]);
}
