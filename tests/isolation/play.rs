//! The controller of an interleaving: gives out sessions and keeps the transcript.

use std::{marker::PhantomData, sync::Arc};

use super::{actor::Actor, stage::Stage};
use crate::support::{arena::ServerArena, driver::Session};

/// Sessions on threads of their own, which do one step at a time, when the test says so.
///
/// ```text
/// let play = Play::<Driver>::new(&arena);
/// let (s1, s2) = (play.session("s1"), play.session("s2"));
/// s1.run("begins", |c| c.begin()).unwrap();
/// s1.run("locks 1", |c| c.execute(LOCK_1)).unwrap();
/// let waiting = s2.start("locks 1 too", |c| c.execute(LOCK_1));
/// waiting.blocked_by(&s1);
/// s1.run("commits", |c| c.commit()).unwrap();
/// waiting.join().unwrap();
/// ```
pub(crate) struct Play<S> {
    stage: Arc<Stage>,
    url: String,
    session: PhantomData<fn() -> S>,
}

impl<S: Session> Play<S> {
    pub(crate) fn new(arena: &ServerArena<S::Server>) -> Self {
        let stage = Arc::new(Stage::new::<S::Server>(arena.url()));
        Self { stage, url: arena.url().to_owned(), session: PhantomData }
    }

    /// A session, connected. It ends when the actor is dropped, with whatever it is doing.
    #[must_use]
    pub(crate) fn session(&self, name: &str) -> Actor<S> {
        Actor::enter(&self.stage, name, &self.url)
    }

    /// What happened so far: a line per step begun, and one per step ended.
    pub(crate) fn transcript(&self) -> String {
        self.stage.transcript.to_string()
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }
}
