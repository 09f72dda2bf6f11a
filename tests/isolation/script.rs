//! Interleavings written down as PostgreSQL's isolationtester has them: sessions, named steps, permutations.
//!
//! <https://github.com/postgres/postgres/blob/master/src/test/isolation/README>

use std::{fmt::Debug, sync::Arc};

use super::{
    director::direct,
    permutation::interleavings,
    run::{Outcome, Run, Runs},
};
use crate::support::{arena::ServerArena, driver::Session};

/// Sessions with named steps, to be run in some or all orders.
///
/// ```text
/// let runs = Script::<Driver>::new()
///     .setup("UPDATE accounts SET balance = 10 WHERE id = 1")
///     .session("s1")
///     .step("begin", |c| c.begin())
///     .step("lock", |c| c.execute(LOCK_1))
///     .step("commit", |c| c.commit())
///     .session("s2")
///     .step("update", |c| c.execute(UPDATE_1))
///     .all(&arena);
/// ```
#[must_use = "a script does nothing until it is run in an order"]
pub(crate) struct Script<S> {
    setup: Vec<String>,
    pub(super) sessions: Vec<Part<S>>,
}

/// What one session does.
pub(super) struct Part<S> {
    pub(super) name: String,
    pub(super) preparation: Vec<String>,
    pub(super) steps: Vec<Step<S>>,
}

pub(super) struct Step<S> {
    pub(super) name: String,
    pub(super) act: Act<S>,
}

pub(super) type Act<S> = Arc<dyn Fn(&mut S) -> Outcome + Send + Sync>;

impl<S: Session> Script<S> {
    pub(crate) fn new() -> Self {
        Self { setup: Vec::new(), sessions: Vec::new() }
    }

    /// Statements that run before every permutation. They have to undo what the last one did.
    pub(crate) fn setup(mut self, statements: &str) -> Self {
        self.setup.push(statements.to_owned());
        self
    }

    /// The session that the steps after this belong to.
    pub(crate) fn session(mut self, name: &str) -> Self {
        assert!(self.sessions.iter().all(|part| part.name != name), "two sessions are named {name}");
        self.sessions.push(Part { name: name.to_owned(), preparation: Vec::new(), steps: Vec::new() });
        self
    }

    /// A statement that the session sends before anybody's first step, such as a `SET`.
    pub(crate) fn prepare(mut self, statement: &str) -> Self {
        self.last("a preparation").preparation.push(statement.to_owned());
        self
    }

    /// A step of the session named last. Its `Ok` and its `Err` are shown in the transcript.
    pub(crate) fn step<T: Debug, E: Debug>(
        mut self,
        name: &str,
        act: impl Fn(&mut S) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self {
        let steps = &mut self.last("a step").steps;
        assert!(steps.iter().all(|step| step.name != name), "two steps of one session are named {name}");
        let act: Act<S> = Arc::new(move |session| Outcome::of(act(session)));
        steps.push(Step { name: name.to_owned(), act });
        self
    }

    /// Runs every interleaving of the steps.
    pub(crate) fn all(&self, arena: &ServerArena<S::Server>) -> Runs {
        let steps: Vec<usize> = self.sessions.iter().map(|part| part.steps.len()).collect();
        let orders = interleavings(&steps).into_iter().map(|order| {
            let mut next = vec![0; steps.len()];
            order
                .into_iter()
                .map(|session| {
                    next[session] += 1;
                    (session, next[session] - 1)
                })
                .collect::<Vec<_>>()
        });
        Runs(orders.map(|order| self.play(arena, &order)).collect())
    }

    /// Runs the permutations given, each as `"s1.begin s2.begin s1.lock .."`.
    pub(crate) fn these(&self, arena: &ServerArena<S::Server>, permutations: &[&str]) -> Runs {
        let orders = permutations
            .iter()
            .map(|permutation| permutation.split_whitespace().map(|name| self.find(name)).collect::<Vec<_>>());
        Runs(orders.map(|order| self.play(arena, &order)).collect())
    }

    fn play(&self, arena: &ServerArena<S::Server>, order: &[(usize, usize)]) -> Run {
        for statements in &self.setup {
            arena.execute(statements);
        }
        direct(self, arena, order)
    }

    fn find(&self, name: &str) -> (usize, usize) {
        let found = self.sessions.iter().enumerate().find_map(|(session, part)| {
            let step = part.steps.iter().position(|step| format!("{}.{}", part.name, step.name) == name)?;
            Some((session, step))
        });
        found.unwrap_or_else(|| panic!("no step is named {name}"))
    }

    fn last(&mut self, what: &str) -> &mut Part<S> {
        self.sessions.last_mut().unwrap_or_else(|| panic!("{what} belongs to a session: name one first"))
    }
}
