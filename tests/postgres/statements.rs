//! The text of every statement that a set sends, so that a change of it is seen, and meant.

use std::collections::HashSet;

use diesel::{pg::Pg, prelude::*};
use diesel_lockset::LockSet;

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, AccountSummary, Child, OddOrder, Parent, S1Item, Seat},
        schema::{accounts, children, odd_order, parents, seats},
    },
};

type Set = LockSet<'static, Pg>;
type Strength = (fn(Set) -> Set, &'static str);

/// The statements of one set, without their values.
fn texts<W: Send>(session: &mut Blocking, set: LockSet<'static, Pg, W>) -> Vec<String> {
    let sent = session.overhear();
    session.lock_set(set.allow_missing()).unwrap();
    sent.take().iter().map(|statement| statement.split(" -- binds").next().unwrap().to_owned()).collect()
}

/// Compares the statements of a set, in a database where nobody interferes, with those expected.
#[track_caller]
fn assert_sends(set: Set, expected: &[&str]) {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    assert_texts(&texts(&mut session, set), expected);
}

/// The statements expected may stand on several lines, broken at spaces and behind parentheses.
#[track_caller]
fn assert_texts(texts: &[String], expected: &[&str]) {
    let one_line = |text: &&str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let expected: Vec<_> = expected.iter().map(one_line).collect();
    assert_eq!(texts, expected);
}

fn seat(section: &str, number: i32) -> (String, i32) {
    (section.to_owned(), number)
}

#[test]
fn keys_are_one_array() {
    assert_sends(
        LockSet::new().ids::<AccountSummary>([3, 1, 2]),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "accounts" TABLESAMPLE SYSTEM (0))
             SELECT "accounts"."id", "accounts"."balance" FROM "accounts" WHERE "accounts"."id" = ANY($1)
             ORDER BY "accounts"."id" FOR UPDATE OF "accounts""#],
    );
}

#[test]
fn composite_keys_are_one_array_per_column_joined_as_a_distinct_list() {
    assert_sends(
        LockSet::new().ids::<Seat>([seat("B", 1), seat("A", 2)]),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "seats" TABLESAMPLE SYSTEM (0))
             SELECT "seats"."section", "seats"."number", "seats"."holder"
             FROM "seats" INNER JOIN (SELECT DISTINCT * FROM (SELECT unnest(COALESCE($1, ARRAY(SELECT COALESCE("seats"."section", NULL) FROM "seats"
             WHERE false))), unnest($2)) AS "listed")
                 AS "among" ("k0", "k1") ON ("seats"."section", "seats"."number") = ("among"."k0", "among"."k1")
             ORDER BY "seats"."section", "seats"."number" FOR UPDATE OF "seats""#],
    );
}

#[test]
fn names_are_quoted_schemas_kept_and_of_has_none() {
    assert_sends(
        LockSet::new().for_share().id::<S1Item>(1).for_key_share().id::<OddOrder>(1),
        &[
            r#"WITH "lockset: a table" AS (SELECT FROM "order" TABLESAMPLE SYSTEM (0))
             SELECT "order"."key", "order"."of", "order"."skip", "order"."nowait", "order"."locked"
               FROM "order" WHERE "order"."key" = $1 ORDER BY "order"."key" FOR KEY SHARE OF "order""#,
            r#"WITH "lockset: a table" AS (SELECT FROM "s1"."items" TABLESAMPLE SYSTEM (0))
             SELECT "s1"."items"."id", "s1"."items"."name" FROM "s1"."items" WHERE "s1"."items"."id" = $1
               ORDER BY "s1"."items"."id" FOR SHARE OF "items""#,
        ],
    );
}

#[test]
fn the_strongest_strength_counts_for_the_table() {
    let strengths: [Strength; 4] = [
        (|set| set.for_key_share(), "FOR KEY SHARE"),
        (|set| set.for_share(), "FOR SHARE"),
        (|set| set.for_no_key_update(), "FOR NO KEY UPDATE"),
        (|set| set.for_update(), "FOR UPDATE"),
    ];
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    for (i, (one, weaker)) in strengths.iter().enumerate() {
        for (j, (other, stronger)) in strengths.iter().enumerate() {
            let expected = if i > j { weaker } else { stronger };
            let set = other(one(LockSet::new()).id::<Parent>(1)).id::<Parent>(2);
            let [text] = &texts(&mut session, set)[..] else { panic!("one table is one statement") };
            assert!(text.ends_with(&format!(r#" {expected} OF "parents""#)), "{text}");
            let set = other(one(LockSet::new()).id::<Account>(1)).query::<AccountSummary>(accounts::table);
            let [text] = &texts(&mut session, set)[..] else { panic!("one table is one statement") };
            assert!(text.ends_with(&format!(r#" {expected} OF "accounts""#)), "{text}");
        }
    }
}

#[test]
fn two_models_of_a_table_have_their_columns_side_by_side_and_their_keys_in_one_list() {
    assert_sends(
        LockSet::new().id::<Account>(1).id::<AccountSummary>(2),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "accounts" TABLESAMPLE SYSTEM (0))
             SELECT "accounts"."id", "accounts"."owner", "accounts"."balance", "accounts"."v", "accounts"."id",
             "accounts"."balance", "accounts"."id" IN (SELECT unnest(ARRAY(SELECT unnest($1)))), "accounts"."id" IN (SELECT unnest(ARRAY(SELECT unnest($2)))) FROM "accounts" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT unnest($3) UNION ALL SELECT unnest($4))))
             AS "among" ("k0") ON "accounts"."id" = "among"."k0" ORDER BY "accounts"."id"
             FOR UPDATE OF "accounts""#],
    );
}

#[test]
fn a_query_over_the_table_alone_locks_by_itself_in_the_order_of_the_key() {
    assert_sends(
        LockSet::new().query::<AccountSummary>(accounts::table.filter(accounts::v.eq(0)).order(accounts::owner)),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "accounts" TABLESAMPLE SYSTEM (0))
             SELECT "accounts"."id", "accounts"."balance" FROM "accounts" WHERE ("accounts"."v" = $1)
             ORDER BY "accounts"."id" FOR UPDATE OF "accounts""#],
    );
    assert_sends(
        LockSet::new().query::<Seat>(seats::table.select(seats::holder)),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "seats" TABLESAMPLE SYSTEM (0))
             SELECT "seats"."section", "seats"."number", "seats"."holder" FROM "seats"
             ORDER BY "seats"."section", "seats"."number" FOR UPDATE OF "seats""#],
    );
}

#[test]
fn a_limited_query_chooses_first_in_its_own_order() {
    assert_sends(
        LockSet::new().query::<AccountSummary>(accounts::table.order(accounts::owner.desc()).limit(2).into_boxed()),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "accounts" TABLESAMPLE SYSTEM (0)),
             "wanted" ("o", "c", "k0") AS MATERIALIZED ((SELECT "accounts"."tableoid", "accounts"."ctid",
             "accounts"."id" FROM "accounts" ORDER BY "accounts"."owner" DESC LIMIT $1)) SELECT "locked".*, EXISTS (SELECT
             FROM "wanted") FROM (VALUES (1)) AS "once" LEFT JOIN (SELECT "accounts"."id",
             "accounts"."balance", CASE WHEN ("accounts"."tableoid", "accounts"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted")),
             unnest(ARRAY(SELECT "c" FROM "wanted"))) THEN 1 WHEN "accounts"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted"))) THEN 2 ELSE 0 END, (SELECT
             count(DISTINCT ("k0")) FROM "wanted"), true FROM "accounts" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0"
             FROM "wanted")))
             AS "among" ("k0") ON "accounts"."id" = "among"."k0" ORDER BY "accounts"."id" FOR UPDATE OF "accounts") AS "locked" ON true"#],
    );
}

#[test]
fn a_distinct_query_chooses_first() {
    assert_sends(
        LockSet::new().query::<OddOrder>(odd_order::table.filter(odd_order::locked).distinct()),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "order" TABLESAMPLE SYSTEM (0)),
             "wanted" ("o", "c", "k0") AS MATERIALIZED ((SELECT "lockset_o", "lockset_c", "lockset_k0" FROM
             (SELECT DISTINCT "order"."tableoid", "order"."ctid", "order"."key", "order"."key", "order"."of",
             "order"."skip", "order"."nowait", "order"."locked" FROM "order" WHERE "order"."locked") AS
             "distinct" ("lockset_o", "lockset_c", "lockset_k0"))) SELECT "order"."key", "order"."of",
             "order"."skip", "order"."nowait", "order"."locked", CASE WHEN ("order"."tableoid", "order"."ctid")
             IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted")),
             unnest(ARRAY(SELECT "c" FROM "wanted"))) THEN 1 WHEN "order"."key" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted"))) THEN 2
             ELSE 0 END FROM "order" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             AS "among" ("k0") ON "order"."key" = "among"."k0" ORDER BY
             "order"."key" FOR UPDATE OF "order""#],
    );
}

#[test]
fn a_join_chooses_first_and_locks_none_of_the_joined_tables() {
    assert_sends(
        LockSet::new().query::<Parent>(parents::table.inner_join(children::table).filter(children::note.ne(""))),
        &[
            r#"SELECT pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'repeatable read'"#,
            r#"WITH "lockset: a table" AS (SELECT FROM "parents" TABLESAMPLE SYSTEM (0)),
             "wanted" ("o", "c", "k0") AS MATERIALIZED (
                 (SELECT "parents"."tableoid", "parents"."ctid", "parents"."id"
                  FROM ("parents" INNER JOIN "children" ON ("children"."parent_id" = "parents"."id"))
                  WHERE ("children"."note" != $1)))
             SELECT "parents"."id", "parents"."data",
                 CASE WHEN ("parents"."tableoid", "parents"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted")),
             unnest(ARRAY(SELECT "c" FROM "wanted"))) THEN 1
                 WHEN "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted"))) THEN 2 ELSE 0 END
             FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
             ORDER BY "parents"."id" FOR UPDATE OF "parents""#,
            r#"WITH "wanted" ("k0") AS MATERIALIZED (SELECT unnest($1) UNION ALL (
                 SELECT * FROM (SELECT "parents"."id"
                  FROM ("parents" INNER JOIN "children" ON ("children"."parent_id" = "parents"."id"))
                  WHERE ("children"."note" != $2)) AS "again" ("k0")
                 WHERE ("k0") = ANY($3)))
             SELECT "parents"."id", "parents"."data", "parents"."id" IN (SELECT unnest(ARRAY(SELECT unnest($4)))),
                 "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted" UNION ALL SELECT unnest($5))))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
             ORDER BY "parents"."id""#,
        ],
    );
}

#[test]
fn a_subquery_chooses_first_and_is_asked_again() {
    assert_sends(
        LockSet::new()
            .query::<Parent>(parents::table.filter(parents::id.eq_any(children::table.select(children::parent_id)))),
        &[
            r#"SELECT pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'repeatable read'"#,
            r#"WITH "lockset: a table" AS (SELECT FROM "parents" TABLESAMPLE SYSTEM (0)),
             "wanted" ("o", "c", "k0") AS MATERIALIZED (
                 (SELECT "parents"."tableoid", "parents"."ctid", "parents"."id" FROM "parents"
                  WHERE ("parents"."id" = ANY(SELECT "children"."parent_id" FROM "children"))))
             SELECT "parents"."id", "parents"."data",
                 CASE WHEN ("parents"."tableoid", "parents"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted")),
             unnest(ARRAY(SELECT "c" FROM "wanted"))) THEN 1
                 WHEN "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted"))) THEN 2 ELSE 0 END
             FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
             ORDER BY "parents"."id" FOR UPDATE OF "parents""#,
            r#"WITH "wanted" ("k0") AS MATERIALIZED (SELECT unnest($1) UNION ALL (
                 SELECT * FROM (SELECT "parents"."id" FROM "parents"
                  WHERE ("parents"."id" = ANY(SELECT "children"."parent_id" FROM "children"))) AS "again" ("k0")
                 WHERE ("k0") = ANY($2)))
             SELECT "parents"."id", "parents"."data", "parents"."id" IN (SELECT unnest(ARRAY(SELECT unnest($3)))),
                 "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted" UNION ALL SELECT unnest($4))))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
             ORDER BY "parents"."id""#,
        ],
    );
}

#[test]
fn keys_and_several_queries_are_one_list_and_the_queries_are_numbered() {
    let named = parents::table.filter(parents::data.eq("two"));
    assert_sends(
        LockSet::new().query::<Parent>(named).id::<Parent>(4).query::<Parent>(parents::table.limit(1)),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "parents" TABLESAMPLE SYSTEM (0)),
             "wanted" ("q", "o", "c", "k0") AS MATERIALIZED ((SELECT 0, "parents"."tableoid",
             "parents"."ctid", "parents"."id" FROM "parents" WHERE ("parents"."data" = $1)) UNION ALL (SELECT 1,
             "parents"."tableoid", "parents"."ctid", "parents"."id" FROM "parents" LIMIT $2)) SELECT
             "locked".*, EXISTS (SELECT FROM "wanted") FROM (VALUES (1)) AS "once" LEFT JOIN (SELECT
             "parents"."id", "parents"."data", CASE WHEN "parents"."id" IN (SELECT unnest(ARRAY(SELECT unnest($3)))) THEN 3 WHEN ("parents"."tableoid",
             "parents"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted" WHERE "q" = 0)),
             unnest(ARRAY(SELECT "c" FROM "wanted" WHERE "q" = 0))) THEN 1 WHEN "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted" WHERE "q" = 0))) THEN 2 ELSE 0 END, CASE WHEN ("parents"."tableoid",
             "parents"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted" WHERE "q" = 1)),
             unnest(ARRAY(SELECT "c" FROM "wanted" WHERE "q" = 1))) THEN 1 WHEN "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted" WHERE "q" = 1))) THEN 2 ELSE 0 END, (SELECT count(DISTINCT ("k0")) FROM
             "wanted" WHERE "q" = 1), true FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT unnest($4) UNION ALL
             SELECT "k0" FROM "wanted")))
             AS "among" ("k0") ON "parents"."id" = "among"."k0" ORDER BY "parents"."id" FOR UPDATE OF "parents") AS "locked" ON true"#],
    );
}

#[test]
fn composite_keys_and_a_query_are_one_distinct_list() {
    assert_sends(
        LockSet::new().id::<Seat>(seat("A", 1)).query::<Seat>(seats::table.filter(seats::holder.is_null())),
        &[r#"WITH "lockset: a table" AS (SELECT FROM "seats" TABLESAMPLE SYSTEM (0)),
             "wanted" ("o", "c", "k0", "k1") AS MATERIALIZED ((SELECT "seats"."tableoid", "seats"."ctid",
             "seats"."section", "seats"."number" FROM "seats" WHERE ("seats"."holder" IS NULL))) SELECT
             "seats"."section", "seats"."number", "seats"."holder", CASE WHEN ("seats"."section", "seats"."number") IN
             (SELECT unnest(ARRAY(SELECT unnest(COALESCE($1, ARRAY(SELECT COALESCE("seats"."section", NULL) FROM "seats"
             WHERE false))))), unnest(ARRAY(SELECT unnest($2)))) THEN 3 WHEN ("seats"."tableoid", "seats"."ctid") IN (SELECT unnest(ARRAY(SELECT "o" FROM "wanted")),
             unnest(ARRAY(SELECT "c" FROM "wanted"))) THEN 1 WHEN ("seats"."section", "seats"."number") IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted")), unnest(ARRAY(SELECT "k1" FROM "wanted"))) THEN 2 ELSE 0 END FROM "seats" INNER JOIN (SELECT DISTINCT * FROM (SELECT unnest(COALESCE($3, ARRAY(SELECT COALESCE("seats"."section", NULL) FROM "seats"
             WHERE false))), unnest($4) UNION ALL SELECT "k0", "k1" FROM "wanted") AS "listed") AS "among" ("k0", "k1") ON
             ("seats"."section", "seats"."number") = ("among"."k0", "among"."k1") ORDER BY "seats"."section",
             "seats"."number" FOR UPDATE OF "seats""#],
    );
}

/// The text of a set is built once in a process, for each combination of all that it depends on.
#[test]
fn sets_that_differ_in_more_than_values_have_texts_of_their_own() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let by_key: [fn() -> Set; 5] = [
        || LockSet::new().id::<Account>(1),
        || LockSet::new().for_share().id::<Account>(1),
        || LockSet::new().id::<AccountSummary>(1),
        || LockSet::new().ids::<Account>(0..6_000),
        || LockSet::new().id::<Account>(1).id::<AccountSummary>(1),
    ];
    let by_query: [fn() -> Set; 6] = [
        || LockSet::new().query::<Account>(accounts::table.filter(accounts::v.gt(0))),
        || LockSet::new().query::<AccountSummary>(accounts::table.filter(accounts::v.gt(0))),
        || LockSet::new().query::<Account>(accounts::table.filter(accounts::v.gt(0)).limit(1)),
        || LockSet::new().id::<Account>(1).query::<Account>(accounts::table.filter(accounts::v.gt(0))),
        || LockSet::new().id::<Account>(1).query::<AccountSummary>(accounts::table.filter(accounts::v.gt(0))),
        || {
            let set = LockSet::new().query::<Account>(accounts::table.filter(accounts::v.gt(0)));
            set.query::<Account>(accounts::table.filter(accounts::balance.gt(0)))
        },
    ];
    let mut first_texts = || {
        let mut all = Vec::new();
        for set in by_key.iter().chain(&by_query) {
            all.push(texts(&mut session, set()).swap_remove(0));
            all.push(texts(&mut session, set().skip_locked()).swap_remove(0));
        }
        all.extend(by_query.map(|set| texts(&mut session, set().no_wait()).swap_remove(0)));
        all
    };
    let texts = first_texts();
    assert_eq!(first_texts(), texts);
    let different: HashSet<_> = texts.iter().collect();
    assert_eq!(different.len(), texts.len());
}

#[test]
fn tables_come_in_the_order_of_their_names() {
    let heads: Vec<String> = {
        let arena = Arena::new();
        let mut session = Blocking::connect(arena.url());
        session.begin().unwrap();
        let set =
            LockSet::new().id::<Seat>(seat("A", 1)).id::<S1Item>(1).query::<Child>(children::table).id::<Parent>(1);
        let ends = texts(&mut session, set.id::<Account>(1));
        ends.iter().map(|text| text.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(heads, [r#""accounts""#, r#""children""#, r#""parents""#, r#""items""#, r#""seats""#]);
}

/// What a set of parents sends that has to wait for `change`.
fn texts_after(change: &'static str, set: fn() -> Set) -> Vec<String> {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    holder.run("changes", move |s| {
        s.begin().unwrap();
        s.execute(change).unwrap();
    });
    let waiting = locker.start("locks", move |s| {
        s.begin().unwrap();
        texts(s, set())
    });
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit().unwrap());
    waiting.join()
}

#[test]
fn a_query_without_a_limit_is_asked_again_about_the_changed_rows_only() {
    let texts = texts_after("UPDATE parents SET data = 'new' WHERE id = 2", || {
        LockSet::new().query::<Parent>(parents::table.filter(parents::data.ne("x"))).id::<Parent>(1)
    });
    assert_texts(
        &texts[1..],
        &[r#"WITH "wanted" ("k0") AS MATERIALIZED (SELECT unnest($1) UNION ALL (
                 SELECT * FROM (SELECT "parents"."id" FROM "parents" WHERE ("parents"."data" != $2)) AS "again" ("k0")
                 WHERE ("k0") = ANY($3)))
             SELECT "parents"."id", "parents"."data", "parents"."id" IN (SELECT unnest(ARRAY(SELECT unnest($4)))),
                 "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted")))
             FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted" UNION ALL SELECT unnest($5))))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
             ORDER BY "parents"."id""#],
    );
}

/// A look: which of the limited query's rows are not held yet?
const LOOK: &str = r#"WITH "wanted" ("k0") AS MATERIALIZED (SELECT unnest($1) UNION ALL (
        SELECT "parents"."id" FROM "parents" WHERE ("parents"."data" != $2) ORDER BY "parents"."id" LIMIT $3))
    SELECT "parents"."id", "parents"."data", "parents"."id" IN (SELECT unnest(ARRAY(SELECT unnest($4)))), "parents"."id" IN
             (SELECT unnest(ARRAY(SELECT "k0" FROM "wanted")))
    FROM "parents" INNER JOIN (SELECT DISTINCT unnest(ARRAY(SELECT "k0" FROM "wanted" UNION ALL SELECT unnest($5))))
             AS "among" ("k0") ON "parents"."id" = "among"."k0"
    ORDER BY "parents"."id""#;

/// What a look finds is locked by key.
const MORE: &str = r#"WITH "lockset: a table" AS (SELECT FROM "parents" TABLESAMPLE SYSTEM (0))
             SELECT "parents"."id", "parents"."data" FROM "parents" WHERE "parents"."id" = $1
    ORDER BY "parents"."id" FOR UPDATE OF "parents""#;

#[test]
fn a_limited_query_is_asked_again_as_a_whole_and_does_not_wait_for_a_later_row() {
    let texts = texts_after("UPDATE parents SET data = 'x' WHERE id = 1", || {
        LockSet::new().query::<Parent>(parents::table.filter(parents::data.ne("x")).order(parents::id).limit(1))
    });
    assert_texts(&texts[1..], &[LOOK, &format!("{MORE} SKIP LOCKED"), LOOK]);
}

#[test]
fn a_limited_query_skips_an_earlier_row_that_is_held() {
    let texts = texts_after("UPDATE parents SET data = 'x' WHERE id = 4", || {
        LockSet::new().query::<Parent>(parents::table.filter(parents::data.ne("x")).order(parents::id.desc()).limit(1))
    });
    let look = LOOK.replace(r#"ORDER BY "parents"."id" LIMIT"#, r#"ORDER BY "parents"."id" DESC LIMIT"#);
    assert_texts(&texts[1..], &[&look, &format!("{MORE} SKIP LOCKED"), &look]);
}
