//! What the sessions of one play share: who they are, a line to the server, the transcript.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::transcript::Transcript;
use crate::support::server::{Observer, Server};

/// Behind every [`Play`](super::Play) and its actors.
pub(crate) struct Stage {
    observer: Mutex<Box<dyn Observer>>,
    cast: Mutex<Vec<Member>>,
    pub(crate) transcript: Transcript,
}

/// A session as the others know it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) pid: i32,
    busy: Arc<AtomicBool>,
}

impl Member {
    pub(crate) fn new(name: &str, pid: i32) -> Self {
        Self { name: name.to_owned(), pid, busy: Arc::default() }
    }

    /// Whether a step of it is running.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst)
    }

    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }
}

impl Stage {
    pub(crate) fn new<S: Server>(url: &str) -> Self {
        let observer: Mutex<Box<dyn Observer>> = Mutex::new(Box::new(S::connect(url)));
        Self { observer, cast: Mutex::default(), transcript: Transcript::default() }
    }

    pub(crate) fn enter(&self, member: Member) {
        let mut cast = self.cast();
        assert!(cast.iter().all(|other| other.name != member.name), "two sessions are named {}", member.name);
        cast.push(member);
    }

    /// Returns when the session that closed its connection is gone on the server too, with its locks.
    pub(crate) fn leave(&self, pid: i32) {
        self.observer().wait_until_gone(pid);
    }

    /// The processes that `pid` waits for.
    pub(crate) fn blockers(&self, pid: i32) -> Vec<i32> {
        self.observer().blocked_by(pid)
    }

    /// Whether one of `pids` is a session of this play with no step running: what waits for it waits for the test.
    pub(crate) fn waits_for_the_test(&self, pids: &[i32]) -> bool {
        self.cast().iter().any(|member| pids.contains(&member.pid) && !member.is_busy())
    }

    /// The names of `pids`, in the order in which the sessions came in.
    pub(crate) fn names(&self, pids: &[i32]) -> String {
        let cast = self.cast();
        let mut names: Vec<_> =
            cast.iter().filter(|member| pids.contains(&member.pid)).map(|member| member.name.as_str()).collect();
        if names.len() < pids.len() {
            names.push("an outsider");
        }
        names.join(", ")
    }

    pub(crate) fn terminate(&self, pid: i32) {
        self.observer().terminate(pid);
    }

    /// Panics with everything that is known.
    #[track_caller]
    pub(crate) fn fail(&self, why: &str) -> ! {
        let activity = self.observer().activity();
        panic!("{why}\n--- transcript\n{}\n--- {activity}", self.transcript);
    }

    fn observer(&self) -> MutexGuard<'_, Box<dyn Observer>> {
        self.observer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cast(&self) -> MutexGuard<'_, Vec<Member>> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
