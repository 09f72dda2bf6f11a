//! The watch over one connection.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use diesel::{
    connection::{Instrumentation, InstrumentationEvent},
    result::Error as DieselError,
};

use super::{Shared, locked, transaction::Transaction};
use crate::{
    backend::LockingBackend,
    error::{Conflict, circle::deadlocked_sessions},
};

pub(super) struct Watch<DB> {
    shared: Arc<Shared>,
    session: i64,
    transaction: Arc<Mutex<Transaction>>,
    other: Option<Box<dyn Instrumentation>>,
    backend: PhantomData<fn() -> DB>,
}

impl<DB> Watch<DB> {
    pub(super) fn new(shared: Arc<Shared>, session: i64, other: Option<Box<dyn Instrumentation>>) -> Self {
        let transaction = shared.register(session);
        Watch { shared, session, transaction, other, backend: PhantomData }
    }

    fn refused(&self, error: &DieselError) {
        if Conflict::of(error) == Some(Conflict::Deadlock) {
            // Under another number the session is that of a pooler, and so are the others.
            let listed = deadlocked_sessions(error);
            let is_known = listed.first() == Some(&self.session);
            let sides = if is_known { self.shared.listed(&listed) } else { self.shared.at_work(self.session) };
            self.shared.report(sides);
        }
    }
}

impl<DB: LockingBackend> Instrumentation for Watch<DB> {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match &event {
            InstrumentationEvent::StartQuery { query, .. } => {
                locked(&self.transaction).add(query.to_string(), DB::DIALECT);
            }
            InstrumentationEvent::FinishQuery { error, .. } => {
                locked(&self.transaction).ended();
                error.iter().for_each(|error| self.refused(error));
            }
            _ => {}
        }
        if let Some(other) = &mut self.other {
            other.on_connection_event(event);
        }
    }
}
