//! A question that is asked: as a part of a set, as a pick, as a claim, or as what the server says of it.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl as _, LockSet};

use super::{
    Conn, Db, Onlooker,
    questions::{OWN_ROWS, Query, Question},
    verbs::{PickDsl as _, RunLockQuery as _},
};
use crate::schema::{Brief, Piece, pieces};

/// A question, its argument and how many rows it asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) question: &'static Question,
    pub(super) argument: i32,
    pub(super) limit: Option<i64>,
    pub(super) distinct: bool,
}

macro_rules! with_query {
    ($asked:expr, |$query:ident| $body:expr) => {
        match $asked.question.query {
            Query::One(query) => {
                let $query = query($asked.argument);
                $body
            }
            Query::Inner(query) => {
                let $query = query($asked.argument);
                $body
            }
            Query::Left(query) => {
                let $query = query($asked.argument);
                $body
            }
        }
    };
}

macro_rules! with_clauses {
    ($asked:expr, |$query:ident| $body:expr) => {
        with_query!($asked, |$query| {
            let $query = if $asked.distinct { $query.distinct() } else { $query };
            match $asked.limit {
                Some(limit) => {
                    let $query = $query.order((pieces::n, pieces::id)).limit(limit);
                    $body
                }
                None => $body,
            }
        })
    };
}

impl Asked {
    pub(super) fn add(self, set: LockSet<'static, Db>) -> LockSet<'static, Db> {
        with_clauses!(self, |query| set.query::<Piece>(query))
    }

    pub(super) fn add_brief(self, set: LockSet<'static, Db>) -> LockSet<'static, Db> {
        with_clauses!(self, |query| set.query::<Brief>(query))
    }

    pub(super) fn pick(self, n: u32, conn: &mut Conn) -> Result<Vec<Piece>, LockError> {
        with_query!(self, |query| query.order((pieces::n, pieces::id)).pick(n, conn))
    }

    /// Claims rows by writing a version: no query is about that.
    pub(super) fn claim(self, n: u32, version: i64, conn: &mut Conn) -> Result<Vec<Piece>, LockError> {
        with_query!(self, |query| query.order(pieces::id).claim(n, pieces::version.eq(version), conn))
    }

    /// The query with a locking clause of its own.
    pub(super) fn load_locked(self, conn: &mut Conn) -> Result<Vec<Piece>, LockError> {
        with_query!(self, |query| {
            let query = query.select(Piece::as_select()).order(pieces::id);
            query.for_update_of(pieces::table).skip_locked().load(conn)
        })
    }

    /// How many rows it asks for at most.
    pub(super) fn most(self) -> Option<usize> {
        self.limit.map(|limit| usize::try_from(limit).expect("a limit"))
    }

    /// Which of these keys match, says the server.
    pub(super) fn chosen(self, ids: &[i32], observer: &mut Onlooker) -> Vec<i32> {
        let chosen: QueryResult<Vec<i32>> = with_query!(self, |query| {
            query.filter(pieces::id.eq_any(ids.to_vec())).select(pieces::id).load(observer)
        });
        chosen.unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// A query over rows that belong to one session.
    pub(super) fn own(thread: usize, limit: Option<i64>) -> Self {
        let argument = i32::try_from(thread).expect("few threads");
        Asked { question: &OWN_ROWS, argument, limit, distinct: false }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Asked { question, argument, limit, distinct } = self;
        write!(f, "[{} ({argument})", question.name)?;
        if *distinct {
            write!(f, ", distinct")?;
        }
        limit.map_or(Ok(()), |limit| write!(f, ", the first {limit}"))?;
        write!(f, "]")
    }
}
