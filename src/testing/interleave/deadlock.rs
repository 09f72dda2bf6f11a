//! The deadlocks of a run, as the server reported them.

use std::collections::BTreeSet;

use super::schedule::Schedule;
use crate::{sql::Dialect, testing::statement::Statement};

/// A deadlock that the server reported, with the tables of the statements that were at work.
#[derive(Debug)]
pub(super) struct Deadlock {
    tables: BTreeSet<String>,
    schedule: Schedule,
}

impl Deadlock {
    /// Adds a deadlock, unless one of the same tables is known.
    pub(super) fn note(known: &mut Vec<Self>, dialect: &'static Dialect, at_work: &[usize], schedule: &Schedule) {
        let steps = at_work.iter().filter_map(|step| schedule.steps.get(*step));
        let tables = steps.flat_map(|step| Statement::read(&step.sql, dialect).locked_tables()).collect();
        if known.iter().all(|deadlock| deadlock.tables != tables) {
            known.push(Deadlock { tables, schedule: schedule.clone() });
        }
    }

    /// Returns whether statements of all these tables were at work.
    pub(super) fn is_of(&self, tables: &BTreeSet<String>) -> bool {
        self.tables.is_superset(tables)
    }

    /// Returns the order of statements that led to it.
    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}
