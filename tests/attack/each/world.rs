//! A phase: its database, filled anew, what is known of it, and when it ends.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;

use super::{Driver, Onlooker, PROBING, SESSION, SESSIONS, Target, endings::Probes};
use crate::{
    journal::Journal,
    phases::{Level, Phase},
    schema::{AREAS, GROUPS, LASTING, OWN, PASSING, SLOTS, own_keys},
    settings::Settings,
    support::{arena::ServerArena, driver::Session as _, server::Server as _},
};

pub(super) const TABLES: &str = "\
    CREATE TABLE pieces (id integer PRIMARY KEY, grp integer NOT NULL, status varchar(8) NOT NULL, n integer, \
        label varchar(12) NOT NULL, version bigint NOT NULL);
    CREATE INDEX pieces_status ON pieces (status, n);
    CREATE TABLE marks (piece_id integer PRIMARY KEY, kind integer NOT NULL);
    CREATE TABLE slots (area varchar(4) NOT NULL, number integer NOT NULL, version bigint NOT NULL, \
        PRIMARY KEY (area, number));
    CREATE TABLE tasks (id integer PRIMARY KEY, queue integer NOT NULL, status varchar(8) NOT NULL, \
        priority integer NOT NULL, owner integer NOT NULL);
    CREATE INDEX tasks_status ON tasks (status, priority, id);
    CREATE TABLE taken (task_id integer PRIMARY KEY);
    CREATE TABLE queues (id integer PRIMARY KEY, name varchar(8) NOT NULL);
    INSERT INTO queues VALUES (1, 'main'), (2, 'main'), (9, 'main');";

pub(super) const LABELS: [&str; 4] = ["apple", "beet", "berry", "cherry"];
pub(super) const STATUSES: [&str; 3] = ["open", "held", "done"];

/// How long a round that was begun in time may take.
const OVERTIME: Duration = Duration::from_secs(5);

/// What a session does in every one of its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It locks one set and nothing else.
    Locker,
    /// Anything.
    Worker,
    /// Statements by hand.
    Writer,
}

pub(super) struct World<'w> {
    pub(super) arena: &'w ServerArena<Target>,
    pub(super) settings: &'w Settings,
    pub(super) phase: &'static Phase,
    pub(super) level: Level,
    pub(super) journal: Journal,
    pub(super) probes: Probes,
    time: Duration,
    ends: OnceLock<Instant>,
    roles: Mutex<HashMap<i32, Role>>,
}

impl<'w> World<'w> {
    pub(super) fn new(
        arena: &'w ServerArena<Target>,
        settings: &'w Settings,
        phase: &'static Phase,
        level: Level,
        time: Duration,
    ) -> Self {
        arena.execute(&rows());
        let existing = LASTING.chain(PASSING).chain((0..SESSIONS).flat_map(own_keys));
        World {
            arena,
            settings,
            phase,
            level,
            journal: Journal::with_keys(existing),
            probes: Probes::default(),
            time,
            ends: OnceLock::new(),
            roles: Mutex::default(),
        }
    }

    /// A session at the level of the phase.
    pub(super) fn connect(&self, role: Role) -> Driver {
        let mut session = Driver::connect(self.arena.url());
        session.execute(&Target::isolate(self.level.text())).expect("an isolation level");
        let settings = if self.settings.probes { PROBING } else { SESSION };
        session.execute(settings).expect("the settings of a session");
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).insert(session.pid(), role);
        session
    }

    /// A session that sees what is committed.
    pub(super) fn observer(&self) -> Onlooker {
        let mut conn = self.arena.connect();
        conn.batch_execute(&Target::isolate(Level::ReadCommitted.text())).expect("an isolation level");
        conn
    }

    pub(super) fn role(&self, pid: i32) -> Option<Role> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).copied()
    }

    /// The sessions so far, ended ones too.
    pub(super) fn pids(&self) -> Vec<i32> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// When the phase ends. It begins when this is asked for the first time, with all sessions there.
    pub(super) fn ends(&self) -> Instant {
        *self.ends.get_or_init(|| Instant::now() + self.time)
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends()
    }

    /// Whether what was begun in time should have come to an end too.
    pub(super) fn is_overdue(&self) -> bool {
        Instant::now() >= self.ends() + OVERTIME
    }
}

/// The values of a piece when the phase begins, and when it is inserted again, but for its version.
pub(super) fn piece(id: i32) -> String {
    let grp = match id {
        OWN.. => OWN + (id - OWN) / 10,
        _ if LASTING.contains(&id) => id % GROUPS,
        _ => GROUPS,
    };
    let index = usize::try_from(id).expect("a key");
    let n = if id % 7 == 0 { "NULL".to_owned() } else { (id % 10).to_string() };
    format!("{id}, {grp}, '{}', {n}, '{}'", STATUSES[index % 3], LABELS[index % 4])
}

fn rows() -> String {
    let ids = || LASTING.chain(PASSING).chain((0..SESSIONS).flat_map(own_keys));
    let pieces: Vec<String> = ids().map(|id| format!("({}, 0)", piece(id))).collect();
    let marks: Vec<String> = ids().filter(|id| id % 2 == 1).map(|id| format!("({id}, {})", id % 3)).collect();
    let slots: Vec<String> =
        AREAS.iter().flat_map(|area| SLOTS.map(move |number| format!("('{area}', {number}, 0)"))).collect();
    format!(
        "DELETE FROM pieces; DELETE FROM marks; DELETE FROM slots; \
         INSERT INTO pieces VALUES {}; INSERT INTO marks VALUES {}; INSERT INTO slots VALUES {}",
        pieces.join(", "),
        marks.join(", "),
        slots.join(", ")
    )
}
