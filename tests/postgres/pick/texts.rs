//! The texts of picks and claims are kept: calls of the same types must not be taken for one another.

use diesel::{
    dsl::sql,
    expression::ValidGrouping,
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::Bool,
};
use diesel_lockset::{LockQueryDsl, PickDsl};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::{Account, AccountSummary},
    schema::accounts,
};

#[derive(AsChangeset)]
#[diesel(table_name = accounts)]
struct Change {
    owner: Option<&'static str>,
    balance: Option<i32>,
}

#[diesel::dsl::auto_type]
fn first() -> _ {
    accounts::table.filter(accounts::id.gt(0_i32)).order(accounts::id)
}

fn assert_each(sent: &[String], parts: &[&str]) {
    assert_eq!(sent.len(), parts.len(), "{sent:#?}");
    for (text, part) in sent.iter().zip(parts) {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn each_number_of_rows_and_each_model_has_its_own() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    for _ in 0..2 {
        let rows: [usize; 3] = [1, 3, 2].map(|n| first().pick::<Account>(n, session.conn()).unwrap().len());
        assert_eq!(rows, [1, 3, 2]);
        let short: Vec<AccountSummary> = first().pick(2, session.conn()).unwrap();
        assert_eq!(short.len(), 2);
        let owner: Option<String> =
            first().select(accounts::owner).for_update_of(accounts::table).pick_next(session.conn()).unwrap();
        assert!(owner.is_some());
        let all = r#""accounts"."balance", "accounts"."v" FROM"#;
        let short = r#"SELECT "accounts"."id", "accounts"."balance" FROM"#;
        assert_each(&sent.take(), &["LIMIT 1 ", "LIMIT 3 ", all, short, r#"SELECT "accounts"."owner" FROM"#]);
    }
}

#[test]
fn each_change_and_each_strength_has_its_own() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    for round in 0..2 {
        let mut claim = |change: Change| -> Account {
            first().claim(1, change, session.conn()).unwrap().pop().expect("an account is free")
        };
        assert_eq!(claim(Change { owner: Some("eve"), balance: None }).owner, "eve");
        assert_eq!(claim(Change { owner: None, balance: Some(7 + round) }).balance, 7 + round);
        let both = claim(Change { owner: Some("ada"), balance: Some(1) });
        assert_eq!((&*both.owner, both.balance), ("ada", 1));
        let weak = first().for_no_key_update_of(accounts::table);
        let weak: Vec<Account> = weak.claim(1, accounts::balance.eq(3), session.conn()).unwrap();
        let strong = first().for_update_of(accounts::table);
        let strong: Vec<Account> = strong.claim(1, accounts::balance.eq(4), session.conn()).unwrap();
        assert_eq!((weak[0].balance, strong[0].balance), (3, 4));
        assert_each(
            &sent.take(),
            &[
                r#"SET "owner" = $2 FROM"#,
                r#"SET "balance" = $2 FROM"#,
                r#""balance" = $3"#,
                "NO KEY UPDATE",
                "FOR UPDATE",
            ],
        );
    }
}

/// Raw SQL and boxed queries: what is written may differ from call to call, and the types do not tell.
#[test]
fn what_types_do_not_tell_is_written_anew() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    for id in [3, 1, 2] {
        let raw = accounts::table.filter(sql::<Bool>(&format!("accounts.id = {id}")));
        let picked: Option<Account> = raw.pick_next(session.conn()).unwrap();
        assert_eq!(picked.map(|account| account.id), Some(id));
        let mut boxed = accounts::table.into_boxed();
        boxed = if id == 1 { boxed.filter(accounts::id.eq(1)) } else { boxed.filter(accounts::id.ge(id)) };
        let picked: Option<Account> = boxed.order(accounts::id).pick_next(session.conn()).unwrap();
        assert_eq!(picked.map(|account| account.id), Some(id));
        let change = accounts::v.eq(sql(&format!("{id} * 10")));
        let claimed: Vec<Account> = first().claim(1, change, session.conn()).unwrap();
        assert_eq!((claimed[0].id, claimed[0].v), (1, id * 10));
    }
}

/// A node of the user's own, whose type does not tell its text: Diesel asks each time whether that may be kept.
#[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
struct OwnerIs(&'static str);

impl Expression for OwnerIs {
    type SqlType = Bool;
}

impl<QS> SelectableExpression<QS> for OwnerIs {}
impl<QS> AppearsOnTable<QS> for OwnerIs {}

impl QueryFragment<Pg> for OwnerIs {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.unsafe_to_cache_prepared();
        pass.push_sql("\"accounts\".\"owner\" = '");
        pass.push_sql(self.0);
        pass.push_sql("'");
        Ok(())
    }
}

#[test]
fn what_may_not_be_kept_is_not_kept() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    for owner in ["ben", "ada", "ben"] {
        let picked: Option<Account> = accounts::table.filter(OwnerIs(owner)).pick_next(session.conn()).unwrap();
        assert_eq!(picked.map(|account| account.owner).as_deref(), Some(owner));
    }
}
