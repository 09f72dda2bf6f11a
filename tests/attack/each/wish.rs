//! What a set is made of, and how it is asked for.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet, Lockable as _, Strength, error::RowName};
use fastrand::Rng;

use super::{
    Conn, Db, STRENGTHS,
    asked::Asked,
    questions::of_class,
    strengthen,
    verbs::{LockDsl as _, RunLockSet as _},
};
use crate::{
    phases::{Class, Sets},
    schema::{AREAS, Brief, Counted, LASTING, NEVER, PASSING, Piece, SLOTS, Slot, TurnedSlot, own_keys},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Block,
    Never,
    Skip,
    Timeout(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Set,
    /// `lock_by_id`, or one row with a say about waiting.
    One,
    /// `with_lock`, in a savepoint.
    WithLock,
}

/// All that a set wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) verb: Verb,
    pub(super) ids: Vec<i32>,
    pub(super) instances: bool,
    pub(super) briefs: Vec<i32>,
    pub(super) counted: Vec<i32>,
    pub(super) slots: Vec<(String, i32)>,
    pub(super) turned: Vec<(i32, String)>,
    pub(super) query: Option<Asked>,
    pub(super) brief_query: Option<Asked>,
    pub(super) strength: Strength,
    pub(super) wait: Wait,
    pub(super) allow_missing: bool,
    pub(super) name_holders: bool,
}

/// All that came back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) pieces: Vec<Piece>,
    pub(super) briefs: Vec<Brief>,
    pub(super) counted: Vec<Counted>,
    pub(super) slots: Vec<Slot>,
    pub(super) turned: Vec<TurnedSlot>,
    pub(super) missing: Vec<RowName>,
    pub(super) skipped: Vec<RowName>,
}

impl Wish {
    pub(super) fn draw(random: &mut Rng, rules: &Sets, thread: usize) -> Self {
        let some = |random: &mut Rng, most| random.usize(0..=most);
        let key = |random: &mut Rng| key(random, thread);
        let mut wish = Wish {
            verb: Verb::Set,
            ids: { (0..some(random, 4)).map(|_| key(random)).collect() },
            instances: random.bool(),
            briefs: vec![],
            counted: vec![],
            slots: (0..some(random, 2)).map(|_| slot(random)).collect(),
            turned: vec![],
            query: rules.class.filter(|_| random.u8(..5) > 0).map(|class| asked(random, class, rules.limits, thread)),
            brief_query: None,
            strength: *random.choice(STRENGTHS).expect("strengths"),
            wait: match random.u8(..8) {
                0 => Wait::Never,
                1 => Wait::Skip,
                2 => Wait::Timeout(random.u64(20..400)),
                _ => Wait::Block,
            },
            allow_missing: random.u8(..4) > 0,
            name_holders: random.u8(..8) == 0,
        };
        if rules.two_models {
            wish.briefs = (0..some(random, 2)).map(|_| key(random)).collect();
            wish.brief_query = match random.u8(..3) {
                0 => Some(Asked::own(thread, Some(random.i64(1..=3)))),
                1 => Some(asked(random, Class::Own, true, thread)),
                _ => None,
            };
        }
        if (rules.two_models || rules.old_snapshots) && random.bool() {
            wish.wait = if random.bool() { Wait::Skip } else { Wait::Never };
        }
        if rules.old_snapshots {
            wish.ids.push(random.i32(PASSING));
        }
        if rules.two_names {
            wish.turned = (0..some(random, 3)).map(|_| slot(random)).map(|(area, number)| (number, area)).collect();
        }
        if rules.counts {
            wish.counted = (0..=some(random, 2)).map(|_| key(random)).collect();
        }
        if random.u8(..6) == 0 || wish.is_empty() {
            wish = wish.of_one(random, thread);
        }
        wish
    }

    /// One row alone, which the verbs of one row take.
    fn of_one(self, random: &mut Rng, thread: usize) -> Self {
        Wish {
            verb: if random.u8(..3) == 0 { Verb::WithLock } else { Verb::One },
            ids: vec![key(random, thread)],
            briefs: vec![],
            counted: vec![],
            slots: vec![],
            turned: vec![],
            query: None,
            brief_query: None,
            strength: Strength::Update,
            allow_missing: false,
            name_holders: false,
            ..self
        }
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.slots.is_empty() && self.query.is_none() && self.counted.is_empty()
    }

    pub(super) fn waits(&self) -> bool {
        matches!(self.wait, Wait::Block | Wait::Timeout(_))
    }

    /// Whether it has a query with a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.query.iter().chain(&self.brief_query).any(|asked| asked.limit.is_some())
    }

    /// The same again, within `time`. Queries without a limit are left out: their rows are locked, and those that match by now are not
    /// what a set waits for behind its ordered pass.
    pub(super) fn again(&self, time: Duration) -> Self {
        let limited = |asked: &Asked| asked.limit.is_some();
        let (query, brief_query) = (self.query.filter(limited), self.brief_query.filter(limited));
        let wait = Wait::Timeout(u64::try_from(time.as_millis()).expect("a short time"));
        Wish { verb: Verb::Set, query, brief_query, wait, allow_missing: true, name_holders: false, ..self.clone() }
    }

    pub(super) fn lock(&self, conn: &mut Conn) -> Result<Answer, LockError> {
        match self.verb {
            Verb::Set => self.lock_set(conn),
            Verb::One | Verb::WithLock => self.lock_one(conn),
        }
    }

    fn lock_set(&self, conn: &mut Conn) -> Result<Answer, LockError> {
        let set = self.set();
        let mut locked = match self.wait {
            Wait::Block => set.lock(conn),
            Wait::Never => set.no_wait().lock(conn),
            Wait::Skip => set.skip_locked().lock(conn),
            Wait::Timeout(time) => set.timeout(Duration::from_millis(time)).lock(conn),
        }?;
        Ok(Answer {
            missing: locked.missing().to_vec(),
            skipped: locked.skipped().to_vec(),
            pieces: locked.take_rows(),
            briefs: locked.take_rows(),
            counted: locked.take_rows(),
            slots: locked.take_rows(),
            turned: locked.take_rows(),
        })
    }

    fn set(&self) -> LockSet<'static, Db> {
        let mut set = strengthen(LockSet::new(), self.strength);
        if self.instances {
            let instances: Vec<Piece> = self.ids.iter().map(|id| Piece::stale(*id)).collect();
            set = set.rows(&instances);
        }
        if let Some(asked) = self.query {
            set = asked.add(set);
        }
        if !self.instances {
            set = set.ids::<Piece>(&self.ids);
        }
        set = set.ids::<Slot>(&self.slots).ids::<Brief>(&self.briefs).ids::<Counted>(&self.counted);
        set = set.ids::<TurnedSlot>(&self.turned);
        if let Some(asked) = self.brief_query {
            set = asked.add_brief(set);
        }
        if self.allow_missing {
            set = set.allow_missing();
        }
        if self.name_holders {
            set = set.name_holders();
        }
        set
    }

    fn lock_one(&self, conn: &mut Conn) -> Result<Answer, LockError> {
        let id = self.ids[0];
        let row = Piece::stale(id);
        let piece = match (self.verb, self.wait) {
            (Verb::WithLock, _) => Some(row.with_lock(conn, |row, _| Ok::<_, LockError>(row))?),
            (_, Wait::Block) if self.instances => Some(row.lock(conn)?),
            (_, Wait::Block) => Some(Piece::lock_by_id(id, conn)?),
            (_, Wait::Never) => Some(row.no_wait().lock(conn)?),
            (_, Wait::Skip) => row.skip_locked().lock(conn)?,
            (_, Wait::Timeout(time)) => Some(row.timeout(Duration::from_millis(time)).lock(conn)?),
        };
        Ok(Answer { pieces: piece.into_iter().collect(), ..Answer::default() })
    }
}

fn key(random: &mut Rng, thread: usize) -> i32 {
    match random.u8(..16) {
        0..=10 => random.i32(LASTING),
        11..=13 => random.i32(PASSING),
        14 => random.i32(NEVER),
        _ => random.i32(own_keys(thread)),
    }
}

fn slot(random: &mut Rng) -> (String, i32) {
    ((*random.choice(&AREAS).expect("areas")).to_owned(), random.i32(SLOTS))
}

/// A question of the class, with an argument and perhaps a limit.
pub(super) fn asked(random: &mut Rng, class: Class, limits: bool, thread: usize) -> Asked {
    let limit = (limits && random.bool()).then(|| random.i64(1..=4));
    if random.u8(..10) == 0 {
        return Asked::own(thread, limit);
    }
    let question = *random.choice(&of_class(class)).expect("questions");
    Asked { question, argument: random.i32(0..10), limit, distinct: random.u8(..6) == 0 }
}
