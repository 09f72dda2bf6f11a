//! The attack on one server. Included once for each, so that queries are of its backend's types.
//!
//! | room | what is there |
//! | --- | --- |
//! | `world` | a phase: its database, its knowledge, its time |
//! | `player` | a session, its transactions and how they end |
//! | `questions`, `asked` | the queries, each with what it means in Rust, and the ways to ask them |
//! | `wish` | what a set is made of, and how it is asked for |
//! | `judge`, `ends`, `witness` | the model: is this answer right, or this error? what does another session see? |
//! | `endings` | the calls of sets: how they end, and whether those that gave up should have waited |
//! | `sets`, `writer`, `jobs` | what sessions do |

mod asked;
mod endings;
mod ends;
mod jobs;
mod judge;
mod player;
mod questions;
mod sets;
mod wish;
mod witness;
mod world;
mod writer;

use std::time::Duration;

use super::{
    Driver, verbs,
    words::{
        Db, FAMILY, FUNCTIONS, PROBING, SESSION, STRENGTHS, Target, cancel, circle, clause, insert_taken, strengthen,
    },
};
use crate::{
    book::Book,
    phases::{Level, Phase, Play},
    plan::PHASES,
    settings::Settings,
    support::{arena::ServerArena, driver::Session, server::Server},
};

/// A connection of a session that is judged.
type Conn = <Driver as Session>::Conn;

/// A connection of a session that looks on.
type Onlooker = <Target as Server>::Conn;

/// How many sessions there are.
const SESSIONS: usize = 8;

pub(super) fn attack() {
    let settings = Settings::read();
    let arena = ServerArena::<Target>::named("attack");
    arena.execute(world::TABLES);
    arena.execute(FUNCTIONS);
    let version = Target::text(&mut arena.connect(), "SELECT version()").ok().flatten().unwrap_or_default();

    let turns = Level::ALL.into_iter().flat_map(|level| PHASES.iter().map(move |phase| (phase, level)));
    let turns = turns.filter(|(phase, level)| (phase.on)(FAMILY, *level) && phase.name.contains(&settings.only));
    // Only sets give up.
    let turns: Vec<(&'static Phase, Level)> =
        turns.filter(|(phase, _)| !settings.probes || matches!(phase.play, Play::Sets(_))).collect();
    assert!(!turns.is_empty(), "no phase is called {:?}", settings.only);
    let time = Duration::from_secs_f64(settings.seconds / turns.len() as f64);

    let mut book = Book::new(version, FAMILY, settings.clone());
    for (phase, level) in turns {
        let world = world::World::new(&arena, &settings, phase, level, time);
        let tally = match &phase.play {
            Play::Sets(rules) => sets::run(&world, rules),
            Play::Jobs(class) => jobs::run(&world, *class),
        };
        book.add(phase, level, tally);
    }
    book.close();
}
