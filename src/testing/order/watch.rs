//! The watch over one connection.

use std::{marker::PhantomData, sync::Arc};

use diesel::connection::{Instrumentation, InstrumentationEvent};

use super::{Shared, graph::Lock};
use crate::{
    backend::LockingBackend,
    testing::{
        place,
        statement::{Statement, Verb},
    },
};

/// The largest number of locks of a transaction that is remembered.
const MOST_REMEMBERED: usize = 1_000;

pub(super) struct Watch<DB> {
    shared: Arc<Shared>,
    in_transaction: bool,
    held: Vec<Lock>,
    other: Option<Box<dyn Instrumentation>>,
    backend: PhantomData<fn() -> DB>,
}

impl<DB: LockingBackend> Watch<DB> {
    pub(super) fn new(shared: Arc<Shared>, other: Option<Box<dyn Instrumentation>>) -> Self {
        Watch { shared, in_transaction: false, held: Vec::new(), other, backend: PhantomData }
    }

    fn statement(&mut self, text: &str) {
        for statement in Statement::read_all(text, DB::DIALECT) {
            match statement.verb {
                Verb::Begin | Verb::Commit | Verb::Rollback => {
                    self.in_transaction = statement.verb == Verb::Begin;
                    self.held.clear();
                }
                Verb::Select | Verb::Update | Verb::Delete => self.locks(text, &statement),
                // An inserted row is nobody's yet: what an `INSERT` waits for cannot be read from its text.
                _ => {}
            }
        }
    }

    fn locks(&mut self, text: &str, statement: &Statement) {
        let tables = statement.locked_tables();
        if tables.is_empty() {
            return;
        }
        // Of a join nobody knows which table the key is of.
        let keys = if tables.len() == 1 { statement.keys() } else { Vec::new() };
        let keys: Vec<Option<String>> = if keys.is_empty() { vec![None] } else { keys.into_iter().map(Some).collect() };
        let text: Arc<str> = text.into();
        let mut taken = Vec::new();
        for table in tables {
            self.rules(&table, &text);
            let lock = |key: &Option<String>| Lock { table: table.clone(), key: key.clone(), statement: text.clone() };
            taken.extend(keys.iter().map(lock));
        }
        // Rows of a statement whose keys are not known may be any of the table.
        let holds = |held: &Lock, lock: &Lock| held.table == lock.table && (held.key.is_none() || held.key == lock.key);
        taken.retain(|lock| !self.held.iter().any(|held| holds(held, lock)));
        for lock in &taken {
            let found = self.shared.graph().taken(&self.held, lock, place::of_caller);
            self.tell(&found);
        }
        if self.in_transaction && self.held.len() + taken.len() <= MOST_REMEMBERED {
            self.held.extend(taken);
        }
    }

    fn rules(&self, table: &str, text: &str) {
        for rule in self.shared.rules.iter().filter(|rule| rule.child == table) {
            if !self.held.iter().any(|held| held.table == rule.parent) {
                let found = self.shared.graph().broken(&rule.child, &rule.parent, text, place::of_caller);
                self.tell(found.as_slice());
            }
        }
    }

    fn tell(&self, found: &[super::OrderFinding]) {
        if let Some(hook) = &self.shared.hook {
            found.iter().for_each(hook);
        }
    }
}

impl<DB: LockingBackend> Instrumentation for Watch<DB> {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = &event {
            self.statement(&query.to_string());
        }
        if let Some(other) = &mut self.other {
            other.on_connection_event(event);
        }
    }
}
