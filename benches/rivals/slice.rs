//! A slice: so many calls in each of several sessions at once, by one rival.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tokio::{
    runtime,
    sync::{Barrier, Mutex},
};

use crate::{
    operation::{Operation, Work},
    shared::{Error, Result},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) operation: Operation,
    pub(crate) sessions: u32,
    /// Of each session.
    pub(crate) calls: u32,
    /// When to stop before all calls are made.
    pub(crate) limit: Duration,
    pub(crate) seed: u64,
}

/// What a slice came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Those within the time that was taken.
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    /// Calls of the warm-up.
    pub(crate) warm: u64,
    /// Calls that a deadlock ended, and that the program made again.
    pub(crate) retries: u64,
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }
}

/// A session of a rival, on a connection of its own that is kept.
///
/// Those that block have futures that never wait; then the loop below is written once.
pub(crate) trait Session: Sized + Send {
    fn open(url: &str) -> impl Future<Output = Result<Self>> + Send;

    /// Makes a call, and returns how many rows it came to be about.
    fn call(&mut self, work: Work) -> impl Future<Output = Result<usize>> + Send;
}

/// Calls before the time is taken: statements are prepared, and what is read is in memory.
pub(crate) const WARM: u32 = 3;

/// A thread for each session, as for connections that block.
pub(crate) fn in_threads<S: Session>(slice: &Slice, url: &str) -> Result<Outcome> {
    let start = &Start::of(slice);
    let spans = thread::scope(|scope| {
        let run = |session| {
            scope.spawn(move || {
                let runtime = runtime::Builder::new_current_thread().build()?;
                runtime.block_on(work::<S>(*slice, session, url, start))
            })
        };
        let running: Vec<_> = (0..slice.sessions).map(run).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("a session panicked".into()))).collect()
    });
    sum(slice, spans)
}

/// A task for each session, on a runtime with a thread for each core.
pub(crate) fn in_tasks<S: Session + 'static>(slice: &Slice, url: &str) -> Result<Outcome> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let start = Arc::new(Start::of(slice));
    let spans = runtime.block_on(async {
        let run = |session| {
            let (slice, url, start) = (*slice, url.to_owned(), Arc::clone(&start));
            tokio::spawn(async move { work::<S>(slice, session, &url, &start).await })
        };
        let running: Vec<_> = (0..slice.sessions).map(run).collect();
        let mut spans = Vec::new();
        for one in running {
            spans.push(one.await.unwrap_or_else(|error| Err(error.into())));
        }
        spans.into_iter().collect()
    });
    sum(slice, spans)
}

/// The sessions warm up one after the other, so that none waits for a row, and begin together.
struct Start {
    warm_up: Mutex<()>,
    together: Barrier,
}

impl Start {
    fn of(slice: &Slice) -> Self {
        Start { warm_up: Mutex::new(()), together: Barrier::new(slice.sessions as usize) }
    }
}

/// Begin and end of a session's work, with the calls and the retries between them.
type Span = (Instant, Instant, u64, u64);

async fn work<S: Session>(slice: Slice, number: u32, url: &str, start: &Start) -> Result<Span> {
    let mut dice = Rng::with_seed(slice.seed << 16 | u64::from(number));
    let mut retries = 0;
    let opened = async {
        let mut session = S::open(url).await?;
        let _alone = start.warm_up.lock().await;
        for _ in 0..WARM {
            session.call(slice.operation.draw(&mut dice)).await?;
        }
        Ok::<_, Error>(session)
    };
    let opened = opened.await;
    // The others wait for this one, whatever became of it.
    start.together.wait().await;
    let mut session = opened?;
    let (begin, mut calls) = (Instant::now(), 0);
    'calls: for _ in 0..slice.calls {
        let work = slice.operation.draw(&mut dice);
        while call(&mut session, work, &mut retries).await?.is_none() {
            if begin.elapsed() > slice.limit {
                break 'calls;
            }
        }
        calls += 1;
        if begin.elapsed() > slice.limit {
            break;
        }
    }
    Ok((begin, Instant::now(), calls, retries))
}

/// Returns `None` if a deadlock ended the call.
async fn call<S: Session>(session: &mut S, work: Work, retries: &mut u64) -> Result<Option<usize>> {
    match session.call(work).await {
        Ok(rows) => match work {
            Work::Claim(n) if rows != n as usize => Err(format!("{rows} jobs instead of {n}").into()),
            _ => Ok(Some(rows)),
        },
        Err(error) if error.to_string().contains("deadlock detected") => {
            *retries += 1;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn sum(slice: &Slice, spans: Result<Vec<Span>>) -> Result<Outcome> {
    let spans = spans?;
    let begin = spans.iter().map(|span| span.0).min().ok_or("no session")?;
    let end = spans.iter().map(|span| span.1).max().ok_or("no session")?;
    Ok(Outcome {
        calls: spans.iter().map(|span| span.2).sum(),
        seconds: (end - begin).as_secs_f64(),
        warm: u64::from(WARM * slice.sessions),
        retries: spans.iter().map(|span| span.3).sum(),
    })
}
