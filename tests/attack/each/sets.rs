//! Phases of sets: sessions that lock one set each time, some that work on what they lock, some that write by hand.

use std::{
    panic::resume_unwind,
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use diesel::{
    RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{BigInt, Integer},
};
use diesel_lockset::Strength;
use fastrand::Rng;

use super::{
    FAMILY, SESSIONS, cancel,
    player::{Effects, End, Player},
    wish::{Wish, asked},
    world::{Role, World},
    writer::{columns, execute, update},
};
use crate::{
    book::{Rule, Tally},
    journal::{Journal, Write},
    phases::{Class, Family, Sets},
    schema::{OWN, Piece},
    support::server::Observer as _,
};

const CAST: [Role; SESSIONS] =
    [Role::Locker, Role::Locker, Role::Locker, Role::Locker, Role::Worker, Role::Worker, Role::Writer, Role::Writer];

/// How long after its end a phase may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(world: &World<'_>, rules: &Sets) -> Tally {
    let role = |role| if rules.alone && role == Role::Worker { Role::Locker } else { role };
    let cast = CAST.into_iter().enumerate();
    let mut players: Vec<Player<'_>> = cast.map(|(thread, cast)| Player::new(world, thread, role(cast))).collect();
    together(world, &mut players, |player| {
        while !world.is_over() {
            match player.judge.role {
                Role::Locker => player.lock_one_set(rules),
                Role::Worker => player.work(rules),
                Role::Writer => player.write(rules),
            }
        }
    });
    let mut tally = Player::sum(players);
    tally.endings.given_up = world.probes.found(world);
    for (one, other) in world.journal.lost_writes() {
        let phase = (world.phase.name, world.level);
        tally.broken(Rule::Kept, || format!("phase {phase:?}: {one:?} and {other:?} found the same version"));
    }
    if !rules.cancels {
        let rows: Vec<(i32, i64)> =
            sql::<(Integer, BigInt)>("SELECT id, version FROM pieces").load(&mut world.observer()).expect("the pieces");
        for (id, version) in rows.into_iter().filter(|(id, version)| !world.journal.is_last(*id, *version)) {
            tally.broken(Rule::Kept, || format!("piece {id} ends with version {version}, which is not its last"));
        }
    }
    tally
}

/// Runs the sessions side by side.
///
/// # Panics
///
/// If they do not come to an end: then they are ended on the server.
pub(super) fn together<'w>(world: &World<'_>, players: &mut [Player<'w>], act: impl Fn(&mut Player<'w>) + Sync) {
    let mut observer = world.observer();
    let ends = world.ends() + PATIENCE;
    thread::scope(|scope| {
        let act = &act;
        let threads: Vec<ScopedJoinHandle<'_, ()>> =
            players.iter_mut().map(|player| scope.spawn(move || act(player))).collect();
        let mut random = Rng::with_seed(world.settings.seed);
        while !threads.iter().all(ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(3));
            if world.phase.cancels() && !world.is_over() {
                let pid = *random.choice(&world.pids()).expect("sessions");
                // Fails if the session has ended already.
                let _ = observer.batch_execute(&cancel(pid, random.u8(..30) == 0));
            }
            if Instant::now() > ends {
                let activity = observer.activity();
                world.pids().into_iter().for_each(|pid| observer.terminate(pid));
                panic!("{} does not end\n{activity}", world.phase.name);
            }
        }
        for thread in threads {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

impl Player<'_> {
    /// A transaction of nothing but one lock set.
    fn lock_one_set(&mut self, rules: &Sets) {
        let mut random = self.next();
        let wish = Wish::draw(&mut random, rules, self.judge.thread);
        let (retries, undo) = (random.bool(), random.bool());
        let old = rules.old_snapshots && random.bool();
        self.judge.what = format!("{wish:?}{}", if old { ", after a look" } else { "" });
        self.transaction(retries, &[], |conn, judge, _| {
            if old {
                execute(conn, "SELECT count(*) FROM pieces")?;
                thread::sleep(Duration::from_millis(5));
            }
            let answer = judge.lock(&wish, false, conn)?;
            judge.check(&wish, &answer, conn)?;
            if undo { Err(End::Undo) } else { Ok(()) }
        });
    }

    /// A transaction that locks, picks or claims, and writes what it has got.
    fn work(&mut self, rules: &Sets) {
        let mut random = self.next();
        match (rules.class, random.u8(..4)) {
            (Some(class), 0) => self.pick(&mut random, class),
            (Some(class), 1) => self.claim(&mut random, class),
            _ => self.lock_and_write(&mut random, rules),
        }
    }

    fn lock_and_write(&mut self, random: &mut Rng, rules: &Sets) {
        let thread = self.judge.thread;
        let mut wishes: Vec<Wish> = (0..random.usize(1..=2)).map(|_| Wish::draw(random, rules, thread)).collect();
        wishes.iter_mut().for_each(|wish| wish.strength = Strength::Update);
        let (retries, columns) = (random.bool(), columns(random));
        self.judge.what = format!("{wishes:?}, then writes {columns}");
        self.transaction(retries, &[], |conn, judge, effects| {
            let mut rows: Vec<Piece> = Vec::new();
            for (i, wish) in wishes.iter().enumerate() {
                let answer = judge.lock(wish, i > 0, conn)?;
                judge.check(wish, &answer, conn)?;
                rows.extend(answer.pieces);
            }
            rows.sort_by_key(|row| row.id);
            rows.dedup_by_key(|row| row.id);
            write_some(conn, &rows, &columns, &judge.world.journal, effects)
        });
    }

    /// Picks, or on PostgreSQL puts the clause onto the query itself; elsewhere that locks what it reads on the way.
    fn pick(&mut self, random: &mut Rng, class: Class) {
        let asked = asked(random, class, false, self.judge.thread);
        let by_itself = FAMILY == Family::Postgres && class == Class::Own && !asked.distinct && random.u8(..3) == 0;
        let (n, retries, columns) = (random.u32(1..=3), random.bool(), columns(random));
        let verb = if by_itself { "for_update_of".to_owned() } else { format!("pick({n})") };
        self.judge.what = format!("{verb} {asked:?}, then writes {columns}");
        self.transaction(retries, &[], |conn, judge, effects| {
            judge.called = judge.world.journal.tick();
            let rows = if by_itself { asked.load_locked(conn)? } else { asked.pick(n, conn)? };
            if !by_itself && rows.len() > n as usize {
                judge.broken(Rule::Exact, n, &rows);
            }
            judge.picked(asked, &rows, None, conn)?;
            write_some(conn, &rows, &columns, &judge.world.journal, effects)
        });
    }

    fn claim(&mut self, random: &mut Rng, class: Class) {
        let asked = asked(random, class, false, self.judge.thread);
        let (n, retries) = (random.u32(1..=3), random.bool());
        self.judge.what = format!("claim({n}) {asked:?}");
        self.transaction(retries, &[], |conn, judge, effects| {
            judge.called = judge.world.journal.tick();
            let version = judge.world.journal.tick();
            let rows = asked.claim(n, version, conn)?;
            if rows.len() > n as usize {
                judge.broken(Rule::Exact, n, &rows);
            }
            let seen = judge.picked(asked, &rows, Some(version), conn)?;
            let writes = seen.values().map(|seen| (seen.piece.id, seen.piece.version));
            effects.writes.extend(writes.map(|(key, before)| Write { key, before, after: version }));
            Ok(())
        });
    }
}

/// Writes the first two of the rows, over the versions that the lock has returned. Rows of its own stay as they are.
fn write_some(
    conn: &mut super::Conn,
    rows: &[Piece],
    columns: &str,
    journal: &Journal,
    effects: &mut Effects,
) -> Result<(), End> {
    for row in rows.iter().filter(|row| row.id < OWN).take(2) {
        update(conn, row.id, columns, row.version, journal, effects)?;
    }
    Ok(())
}
