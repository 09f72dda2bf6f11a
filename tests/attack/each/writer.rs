//! What others do to rows meanwhile, by hand.

use diesel::{Connection, QueryResult, RunQueryDsl, dsl::sql, sql_types::BigInt};
use fastrand::Rng;

use super::{
    Conn, Target,
    player::{Effects, End, Player},
    world::{LABELS, STATUSES, piece},
};
use crate::{
    journal::{Journal, Write},
    phases::{Change, Sets},
    schema::{AREAS, LASTING, PASSING, SLOTS},
    support::server::Server as _,
};

#[derive(Debug, Clone)]
enum Step {
    Update(i32, String),
    Mark(i32, Option<i32>),
    Slot(&'static str, i32),
    Pass(i32),
    Replace(i32),
    Rekey(i32, i32),
    /// Done in a savepoint that is rolled back.
    Undone(Box<Step>),
}

impl Player<'_> {
    /// A transaction of some steps, in any order, which may be rolled back.
    pub(super) fn write(&mut self, rules: &Sets) {
        let mut random = self.next();
        let most = if rules.alone { 1 } else { 3 };
        let steps: Vec<Step> = (0..random.usize(1..=most)).map(|_| Step::draw(&mut random, rules.changes)).collect();
        let (undo, retries, pause) = (random.u8(..5) == 0, random.bool(), random.u64(0..3));
        self.judge.what = format!("{steps:?}{}", if undo { ", rolled back" } else { "" });
        let passing: Vec<i32> = steps.iter().flat_map(Step::passing).collect();
        self.transaction(retries, &passing, |conn, judge, effects| {
            steps.iter().try_for_each(|step| step.take(conn, &judge.world.journal, effects))?;
            // Gives others time to run into it.
            std::thread::sleep(std::time::Duration::from_millis(pause));
            if undo { Err(End::Undo) } else { Ok(()) }
        });
    }
}

impl Step {
    fn draw(random: &mut Rng, changes: &[Change]) -> Self {
        let any = |random: &mut Rng| if random.u8(..6) == 0 { random.i32(PASSING) } else { random.i32(LASTING) };
        let step = match random.choice(changes).expect("changes") {
            Change::Update => Step::Update(any(random), columns(random)),
            Change::Mark => Step::Mark(random.i32(LASTING), random.bool().then(|| random.i32(0..3))),
            Change::Slot => Step::Slot(random.choice(AREAS).expect("areas"), random.i32(SLOTS)),
            Change::Pass => Step::Pass(random.i32(PASSING)),
            Change::Replace => Step::Replace(random.i32(LASTING)),
            Change::Rekey => Step::Rekey(random.i32(PASSING), random.i32(PASSING)),
        };
        if random.u8(..8) == 0 { Step::Undone(Box::new(step)) } else { step }
    }

    fn passing(&self) -> Vec<i32> {
        match self {
            Step::Pass(id) => vec![*id],
            Step::Rekey(from, to) => vec![*from, *to],
            _ => vec![],
        }
    }

    fn take(&self, conn: &mut Conn, journal: &Journal, effects: &mut Effects) -> Result<(), End> {
        match self {
            Step::Update(id, columns) => {
                let Some(before) = version(conn, *id)? else { return Ok(()) };
                update(conn, *id, columns, before, journal, effects)?;
            }
            Step::Mark(id, kind) => {
                // Whoever writes a mark has its piece.
                if version(conn, *id)?.is_some() {
                    execute(conn, &format!("DELETE FROM marks WHERE piece_id = {id}"))?;
                    if let Some(kind) = kind {
                        execute(conn, &format!("INSERT INTO marks VALUES ({id}, {kind})"))?;
                    }
                }
            }
            Step::Slot(area, number) => {
                let version = journal.tick();
                let slot = format!("area = '{area}' AND number = {number}");
                execute(conn, &format!("UPDATE slots SET version = {version} WHERE {slot}"))?;
            }
            Step::Pass(id) => match version(conn, *id)? {
                Some(before) => delete(conn, *id, before, journal, effects)?,
                None => insert(conn, *id, journal, effects)?,
            },
            Step::Replace(id) => {
                let Some(before) = version(conn, *id)? else { return Ok(()) };
                let after = journal.tick();
                execute(conn, &format!("DELETE FROM pieces WHERE id = {id}"))?;
                execute(conn, &format!("INSERT INTO pieces VALUES ({}, {after})", piece(*id)))?;
                effects.writes.push(Write { key: *id, before, after });
            }
            Step::Rekey(from, to) => {
                let Some(before) = version(conn, *from)? else { return Ok(()) };
                if from == to || version(conn, *to)?.is_some() {
                    return Ok(());
                }
                let after = journal.tick();
                execute(conn, &format!("UPDATE pieces SET id = {to}, version = {after} WHERE id = {from}"))?;
                effects.writes.push(Write { key: *from, before, after: -after });
                effects.writes.push(Write { key: *to, before: -after, after });
                effects.decide(*from, false, journal);
                effects.decide(*to, true, journal);
            }
            Step::Undone(step) => {
                let mut undone = Effects::default();
                let end: Result<(), End> = conn.transaction(|conn| {
                    step.take(conn, journal, &mut undone)?;
                    Err(End::Undo)
                });
                if let Err(error @ End::Lock(..)) = end {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Effects {
    /// This key exists from the commit on, or does not. Said while its row is locked.
    fn decide(&mut self, key: i32, exists: bool, journal: &Journal) {
        let changed = journal.tick();
        let changes = self.passing.iter_mut().filter(|change| change.key == key);
        changes.for_each(|change| change.decided = Some((exists, changed)));
    }
}

/// New values for the columns that queries are about.
pub(super) fn columns(random: &mut Rng) -> String {
    let n = if random.u8(..6) == 0 { "NULL".to_owned() } else { random.i32(0..10).to_string() };
    let (status, label) = (random.choice(STATUSES).expect("words"), random.choice(LABELS).expect("words"));
    format!("n = {n}, status = '{status}', label = '{label}'")
}

/// Writes over the version that was found under the lock.
pub(super) fn update(
    conn: &mut Conn,
    id: i32,
    columns: &str,
    before: i64,
    journal: &Journal,
    effects: &mut Effects,
) -> QueryResult<()> {
    let after = journal.tick();
    execute(conn, &format!("UPDATE pieces SET {columns}, version = {after} WHERE id = {id}"))?;
    effects.writes.push(Write { key: id, before, after });
    Ok(())
}

fn delete(conn: &mut Conn, id: i32, before: i64, journal: &Journal, effects: &mut Effects) -> QueryResult<()> {
    execute(conn, &format!("DELETE FROM pieces WHERE id = {id}"))?;
    effects.writes.push(Write { key: id, before, after: journal.tick() });
    effects.decide(id, false, journal);
    Ok(())
}

fn insert(conn: &mut Conn, id: i32, journal: &Journal, effects: &mut Effects) -> QueryResult<()> {
    let after = journal.tick();
    execute(conn, &format!("INSERT INTO pieces VALUES ({}, {after})", piece(id)))?;
    effects.writes.push(Write { key: id, before: -after, after });
    effects.decide(id, true, journal);
    Ok(())
}

/// Locks a piece by hand.
fn version(conn: &mut Conn, id: i32) -> QueryResult<Option<i64>> {
    let found: Vec<i64> =
        sql::<BigInt>(&format!("SELECT version FROM pieces WHERE id = {id} FOR UPDATE")).load(conn)?;
    Ok(found.first().copied())
}

pub(super) fn execute(conn: &mut Conn, statement: &str) -> QueryResult<()> {
    Target::execute(conn, statement).map(drop)
}
