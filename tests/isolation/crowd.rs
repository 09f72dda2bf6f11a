//! Many sessions at once, each doing as it likes, with a hard limit on the time.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Barrier,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::stage::Stage;
use crate::support::{arena::ServerArena, driver::Session, patience::POLL};

/// Runs `member` in `size` sessions that begin together; what each returned, by its number.
///
/// # Panics
///
/// If they are not all through after `limit`: then they hang, and are ended on the server. And as a member did.
#[track_caller]
pub(crate) fn crowd<S: Session, T: Send>(
    arena: &ServerArena<S::Server>,
    size: usize,
    limit: Duration,
    member: impl Fn(usize, &mut S) -> T + Sync,
) -> Vec<T> {
    let stage = Stage::new::<S::Server>(arena.url());
    let mut sessions: Vec<S> = (0..size).map(|_| S::connect(arena.url())).collect();
    let pids: Vec<i32> = sessions.iter_mut().map(Session::pid).collect();
    let start = Barrier::new(size);
    thread::scope(|scope| {
        let (start, member) = (&start, &member);
        let members: Vec<ScopedJoinHandle<'_, _>> = sessions
            .into_iter()
            .enumerate()
            .map(|(number, mut session)| {
                scope.spawn(move || {
                    start.wait();
                    catch_unwind(AssertUnwindSafe(|| member(number, &mut session)))
                })
            })
            .collect();
        let begin = Instant::now();
        while !members.iter().all(ScopedJoinHandle::is_finished) {
            if begin.elapsed() > limit {
                let said = hung(&stage, &pids, limit);
                resume_unwind(said);
            }
            thread::sleep(POLL);
        }
        members
            .into_iter()
            .map(|member| match member.join() {
                Ok(Ok(value)) => value,
                Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
            })
            .collect()
    })
}

/// Ends the sessions, so that their threads do; what the test says about it.
fn hung(stage: &Stage, pids: &[i32], limit: Duration) -> Box<dyn Any + Send> {
    let said = catch_unwind(AssertUnwindSafe(|| stage.fail(&format!("not through after {limit:?}"))));
    for pid in pids {
        stage.terminate(*pid);
    }
    match said {
        Err(panic) => panic,
    }
}
