//! Plays one permutation of a script: a step at a time, and after each until all sessions have come to rest.

use std::collections::BTreeSet;

use super::{
    actor::Actor,
    pending::Pending,
    play::Play,
    run::{Outcome, Run},
    script::Script,
    stage::Stage,
};
use crate::support::{arena::ServerArena, driver::Session, patience::until};

/// Plays the steps of `order`, each given as the numbers of its session and of itself.
pub(super) fn direct<S: Session>(script: &Script<S>, arena: &ServerArena<S::Server>, order: &[(usize, usize)]) -> Run {
    let play = Play::<S>::new(arena);
    let sessions: Vec<Actor<S>> = script.sessions.iter().map(|part| play.session(&part.name)).collect();
    for (actor, part) in sessions.iter().zip(&script.sessions) {
        for statement in part.preparation.clone() {
            actor.run(&statement.clone(), move |c| c.execute(&statement)).expect("the preparation works");
        }
    }
    let name = |&(session, step): &(usize, usize)| {
        let part = &script.sessions[session];
        format!("{}.{}", part.name, part.steps[step].name)
    };
    let mut run = Run::of_permutation(order.iter().map(name).collect::<Vec<_>>().join(" "));
    let mut begun: Vec<Option<Begun>> = sessions.iter().map(|_| None).collect();
    for at @ &(session, step) in order {
        let name = name(at);
        if let Some(waiting) = &begun[session] {
            run.lines.push(format!("{name}: impossible, {} still waits", waiting.name));
            run.possible = false;
            return run;
        }
        let act = script.sessions[session].steps[step].act.clone();
        let pending = sessions[session].start(&name, move |c| act(c));
        begun[session] = Some(Begun { name: name.clone(), pending, announced: false });
        settle(&mut run, play.stage(), &mut begun, &name);
    }
    for waiting in begun.into_iter().flatten() {
        run.lines.push(format!("{}: never ends", waiting.name));
    }
    run
}

/// Goes on until every step begun has ended, or waits for a session that only the next step can move.
///
/// A circle of waits is no such state: the server will break it.
fn settle(run: &mut Run, stage: &Stage, begun: &mut [Option<Begun>], newest: &str) {
    let mut ended = Vec::new();
    let settled = until(|| {
        take_ended(begun, &mut ended);
        let waits: Vec<Wait> = begun.iter().flatten().map(|step| Wait::of(stage, step)).collect();
        // Whatever ended while the server was asked makes the answers old.
        if take_ended(begun, &mut ended) || waits.iter().any(|wait| wait.blockers.is_empty()) {
            return None;
        }
        let circle = has_circle(&waits);
        if !circle && !waits.iter().all(|wait| reaches_the_test(wait, &waits, stage)) {
            return None;
        }
        for (step, wait) in begun.iter_mut().flatten().zip(&waits).filter(|(step, _)| !step.announced) {
            step.announced = true;
            run.lines.push(format!("{}: waits for {}", step.name, stage.names(&wait.blockers)));
        }
        (!circle).then_some(())
    });
    if settled.is_none() {
        stage.fail(&format!("the sessions do not come to rest after {newest} in {}", run.permutation));
    }
    // The newest first, then those that it set free, in the order of the sessions and not of the clock.
    ended.sort_by_key(|step| (step.name != newest, step.session));
    for Ended { name, announced, outcome, .. } in ended {
        let at_last = if announced { "at last " } else { "" };
        run.lines.push(format!("{name}: {at_last}{outcome}"));
        run.outcomes.push((name, outcome));
    }
}

/// A step that has not ended, or not been seen to.
struct Begun {
    name: String,
    pending: Pending<Outcome>,
    /// Whether the run says that it waits.
    announced: bool,
}

/// A step that has ended, and the number of its session.
struct Ended {
    session: usize,
    name: String,
    announced: bool,
    outcome: Outcome,
}

/// Collects the steps that have ended; whether there were any.
fn take_ended(begun: &mut [Option<Begun>], ended: &mut Vec<Ended>) -> bool {
    let before = ended.len();
    for (session, slot) in begun.iter_mut().enumerate() {
        if let Some(Begun { name, pending, announced }) = slot.take_if(|step| step.pending.has_ended()) {
            ended.push(Ended { session, name, announced, outcome: pending.join() });
        }
    }
    ended.len() > before
}

/// Whom the server says that a step waits for.
struct Wait {
    pid: i32,
    blockers: Vec<i32>,
}

impl Wait {
    fn of(stage: &Stage, step: &Begun) -> Self {
        let pid = step.pending.pid();
        Self { pid, blockers: stage.blockers(pid) }
    }
}

/// Whether somebody waits for himself in the end.
fn has_circle(waits: &[Wait]) -> bool {
    waits.iter().any(|wait| reach(wait, waits).contains(&wait.pid))
}

/// Whether what `wait` waits for in the end is a session that does nothing.
fn reaches_the_test(wait: &Wait, waits: &[Wait], stage: &Stage) -> bool {
    stage.waits_for_the_test(&reach(wait, waits).into_iter().collect::<Vec<_>>())
}

/// Everybody that `wait` waits for, directly or through others.
fn reach(wait: &Wait, waits: &[Wait]) -> BTreeSet<i32> {
    let mut reached = BTreeSet::new();
    let mut next = wait.blockers.clone();
    while let Some(pid) = next.pop() {
        if reached.insert(pid) {
            next.extend(waits.iter().filter(|other| other.pid == pid).flat_map(|other| &other.blockers));
        }
    }
    reached
}
