//! The queries, as they are written with Diesel, each with what it means in Rust.

use diesel::{
    alias, define_sql_function,
    dsl::{InnerJoin, IntoBoxed, LeftJoin, exists, not, sql},
    prelude::*,
    sql_types::{Bool, Integer, Nullable},
};

use super::Db;
use crate::{
    phases::Class,
    schema::{GROUPS, LASTING, OWN, Piece, marks, own_keys, pieces},
};

define_sql_function! {
    /// Twice its argument.
    fn doubled(i: Nullable<Integer>) -> Nullable<Integer>;
}

define_sql_function! {
    /// The kind of the mark of a piece.
    fn piece_kind(id: Integer) -> Nullable<Integer>;
}

define_sql_function! {
    /// Whether the status of a piece is `open`.
    fn piece_is_open(id: Integer) -> Nullable<Bool>;
}

/// A piece and the kind of its mark, as a session sees them that has nothing to do with it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) piece: Piece,
    pub(super) kind: Option<i32>,
}

pub(super) type Boxed = pieces::BoxedQuery<'static, Db>;
pub(super) type Inner = IntoBoxed<'static, InnerJoin<pieces::table, marks::table>, Db>;
pub(super) type Left = IntoBoxed<'static, LeftJoin<pieces::table, marks::table>, Db>;

#[derive(Clone, Copy)]
pub(super) enum Query {
    One(fn(i32) -> Boxed),
    Inner(fn(i32) -> Inner),
    Left(fn(i32) -> Left),
}

/// A query with one argument.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) query: Query,
    /// Whether a piece matches.
    pub(super) holds: fn(&Seen, i32) -> bool,
    /// The keys that match in every committed state, if there are some.
    pub(super) always: Option<fn(i32) -> Vec<i32>>,
}

/// A query over rows that belong to one session.
pub(super) static OWN_ROWS: Question = Question {
    name: "own rows",
    class: Class::Own,
    query: Query::One(|thread| pieces::table.filter(pieces::grp.eq(OWN + thread)).into_boxed()),
    holds: |seen, thread| seen.piece.grp == OWN + thread,
    always: Some(|thread| own_keys(usize::try_from(thread).expect("a thread")).collect()),
};

/// The questions of one class, never about rows that belong to a session.
pub(super) fn of_class(class: Class) -> Vec<&'static Question> {
    QUESTIONS.iter().filter(|question| question.class == class).collect()
}

macro_rules! question {
    ($class:ident, $name:literal, |$x:ident| $filter:expr, |$seen:ident| $holds:expr $(, $always:expr)?) => {
        Question {
            name: $name,
            class: Class::$class,
            query: Query::One(|$x| pieces::table.filter(pieces::grp.lt(OWN)).filter($filter).into_boxed()),
            #[allow(unused_variables, reason = "not every question has an argument")]
            holds: |$seen, $x| $seen.piece.grp < OWN && $holds,
            always: question!(@always $($always)?),
        }
    };
    (@always) => { None };
    (@always $always:expr) => { Some($always) };
}

static QUESTIONS: &[Question] = &[
    question!(Own, "n > x", |x| pieces::n.gt(x), |seen| seen.piece.n > Some(x)),
    question!(Own, "n BETWEEN x AND x + 3", |x| pieces::n.between(x, x + 3), |seen| {
        seen.piece.n.is_some_and(|n| (x..=x + 3).contains(&n))
    }),
    question!(Own, "status = 'open'", |_x| pieces::status.eq("open"), |seen| seen.piece.status == "open"),
    question!(Own, "status IN ('open', 'held')", |_x| pieces::status.eq_any(["open", "held"]), |seen| {
        seen.piece.status != "done"
    }),
    question!(Own, "label LIKE 'be%'", |_x| pieces::label.like("be%"), |seen| seen.piece.label.starts_with("be")),
    question!(Own, "n IS NULL", |_x| pieces::n.is_null(), |seen| seen.piece.n.is_none()),
    question!(Own, "n * 2 + 1 <= x", |x| (pieces::n * 2 + 1).le(x), |seen| { seen.piece.n.is_some_and(|n| n * 2 < x) }),
    question!(
        Own,
        "NOT status = 'open' OR n = x",
        |x| not(pieces::status.eq("open")).nullable().or(pieces::n.eq(x)),
        |seen| seen.piece.status != "open" || seen.piece.n == Some(x)
    ),
    question!(Own, "raw n < x", |x| sql::<Bool>("n < ").bind::<Integer, _>(x), |seen| {
        seen.piece.n.is_some_and(|n| n < x)
    }),
    question!(Raw, "raw pieces.n < x", |x| sql::<Bool>("pieces.n < ").bind::<Integer, _>(x), |seen| {
        seen.piece.n.is_some_and(|n| n < x)
    }),
    question!(Raw, "raw pieces.status LIKE 'o%'", |_x| sql::<Bool>("pieces.status LIKE 'o%'"), |seen| {
        seen.piece.status == "open"
    }),
    question!(Own, "doubled(n) >= x", |x| doubled(pieces::n).ge(x), |seen| {
        seen.piece.n.is_some_and(|n| n * 2 >= x)
    }),
    question!(Own, "grp = x", |x| pieces::grp.eq(x % GROUPS), |seen| seen.piece.grp == x % GROUPS, |x| LASTING
        .filter(|id| id % GROUPS == x % GROUPS)
        .collect()),
    Question {
        name: "LEFT JOIN, n > x",
        class: Class::Own,
        query: Query::Left(|x| {
            let joined = pieces::table.left_join(marks::table);
            joined.filter(pieces::grp.lt(OWN)).filter(pieces::n.gt(x)).into_boxed()
        }),
        holds: |seen, x| seen.piece.grp < OWN && seen.piece.n > Some(x),
        always: None,
    },
    question!(
        Subquery,
        "EXISTS a mark of x",
        |x| exists(marks::table.filter(marks::piece_id.eq(pieces::id)).filter(marks::kind.eq(x % 3))),
        |seen| seen.kind == Some(x % 3)
    ),
    question!(
        Subquery,
        "NOT EXISTS a mark",
        |_x| not(exists(marks::table.filter(marks::piece_id.eq(pieces::id)))),
        |seen| seen.kind.is_none()
    ),
    question!(
        Subquery,
        "id IN marks of x",
        |x| pieces::id.eq_any(marks::table.filter(marks::kind.eq(x % 3)).select(marks::piece_id)),
        |seen| seen.kind == Some(x % 3)
    ),
    question!(
        Subquery,
        "(SELECT kind) = x",
        |x| marks::table.filter(marks::piece_id.eq(pieces::id)).select(marks::kind).single_value().eq(x % 3),
        |seen| seen.kind == Some(x % 3)
    ),
    question!(
        Subquery,
        "raw id IN marks of x",
        |x| sql::<Bool>("pieces.id IN (SELECT piece_id FROM marks WHERE kind = ").bind::<Integer, _>(x % 3).sql(")"),
        |seen| seen.kind == Some(x % 3)
    ),
    question!(
        Alias,
        "id IN open pieces",
        |_x| {
            let other = alias!(pieces as other);
            pieces::id.eq_any(other.filter(other.field(pieces::status).eq("open")).select(other.field(pieces::id)))
        },
        |seen| seen.piece.status == "open"
    ),
    question!(
        Alias,
        "EXISTS the same, n > x",
        |x| {
            let other = alias!(pieces as other);
            let same = other.filter(other.field(pieces::id).eq(pieces::id));
            exists(same.filter(other.field(pieces::n).gt(x)))
        },
        |seen| seen.piece.n > Some(x)
    ),
    question!(Function, "piece_kind(id) = x", |x| piece_kind(pieces::id).eq(x % 3), |seen| seen.kind == Some(x % 3)),
    question!(Function, "piece_is_open(id)", |_x| piece_is_open(pieces::id), |seen| seen.piece.status == "open"),
    question!(Function, "raw piece_is_open(id)", |_x| sql::<Bool>("piece_is_open(pieces.id)"), |seen| {
        seen.piece.status == "open"
    }),
    Question {
        name: "JOIN, kind = x",
        class: Class::Join,
        query: Query::Inner(|x| {
            let joined = pieces::table.inner_join(marks::table);
            joined.filter(pieces::grp.lt(OWN)).filter(marks::kind.eq(x % 3)).into_boxed()
        }),
        holds: |seen, x| seen.piece.grp < OWN && seen.kind == Some(x % 3),
        always: None,
    },
    Question {
        name: "LEFT JOIN, no mark",
        class: Class::Join,
        query: Query::Left(|_| {
            let joined = pieces::table.left_join(marks::table);
            joined.filter(pieces::grp.lt(OWN)).filter(marks::piece_id.nullable().is_null()).into_boxed()
        }),
        holds: |seen, _| seen.piece.grp < OWN && seen.kind.is_none(),
        always: None,
    },
];
