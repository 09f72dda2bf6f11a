//! The statements of a session's open transaction.

use std::{backtrace::Backtrace, collections::VecDeque, time::Instant};

use super::LoggedStatement;
use crate::{
    sql::Dialect,
    testing::{
        place,
        statement::{Statement, Verb},
    },
};

/// The number of statements of a transaction that are kept.
const NEWEST: usize = 32;

/// The statements of a transaction, or a statement that is one by itself. Those of a transaction that has ended stay until the next statement.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    is_open: bool,
    statements: VecDeque<Sent>,
    /// The end of the last statement, unless it is under way.
    ended: Option<Instant>,
}

/// A statement that was sent.
#[derive(Debug)]
struct Sent {
    sql: String,
    at: Instant,
    by: Backtrace,
}

impl Transaction {
    /// Adds a text that is about to be sent.
    pub(super) fn add(&mut self, text: String, dialect: &'static Dialect) {
        let mut has_work = false;
        for statement in Statement::read_all(&text, dialect) {
            match statement.verb {
                Verb::Begin => {
                    self.is_open = true;
                    self.statements.clear();
                }
                Verb::Commit | Verb::Rollback => self.is_open = false,
                Verb::Savepoint | Verb::Release | Verb::RollbackTo => {}
                _ => has_work = true,
            }
        }
        if !has_work {
            return;
        }
        if !self.is_open {
            self.statements.clear();
        }
        if self.statements.len() == NEWEST {
            self.statements.pop_front();
        }
        self.statements.push_back(Sent { sql: text, at: Instant::now(), by: Backtrace::force_capture() });
        self.ended = None;
    }

    /// Notes that the last statement has its answer.
    pub(super) fn ended(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
    }

    /// Returns the time at which the last statement was sent.
    pub(super) fn last_began(&self) -> Option<Instant> {
        self.statements.back().map(|sent| sent.at)
    }

    /// Returns whether a statement was under way at this time or later.
    pub(super) fn was_at_work(&self, since: Instant) -> bool {
        !self.statements.is_empty() && self.ended.is_none_or(|ended| ended >= since)
    }

    /// Returns the statements with their places, in the order of sending.
    pub(super) fn statements(&self) -> Vec<LoggedStatement> {
        let logged = |sent: &Sent| LoggedStatement { sql: sent.sql.clone(), place: place::of(&sent.by) };
        self.statements.iter().map(logged).collect()
    }
}
