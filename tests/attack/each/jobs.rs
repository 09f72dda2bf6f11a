//! Phases of jobs: eight workers pick and claim tasks until none is left, round after round. Each task is one worker's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use diesel::{
    alias, define_sql_function,
    dsl::{InnerJoin, IntoBoxed, exists, not},
    prelude::*,
    sql_types::Integer,
};
use diesel_lockset::{LockError, LockQueryDsl as _};
use fastrand::Rng;

use super::{
    Conn, Db, SESSIONS, insert_taken,
    player::{End, Player},
    sets::together,
    verbs::PickDsl as _,
    world::{Role, World},
    writer::execute,
};
use crate::{
    book::{Rule, Tally},
    phases::Class,
    schema::{Task, queues, taken, tasks},
};

const TASKS: i32 = 60;

/// The queue that a trigger guards.
const REFUSED: i32 = 9;

define_sql_function! {
    /// Whether the status of a task is `new`.
    fn task_is_new(id: Integer) -> Nullable<Bool>;
}

type Boxed = tasks::BoxedQuery<'static, Db>;
type Joined = IntoBoxed<'static, InnerJoin<tasks::table, queues::table>, Db>;

/// To whom each task of a round was given, for good.
type Given = Mutex<HashMap<i32, Vec<usize>>>;

/// How a worker takes tasks.
#[derive(Debug, Clone, Copy)]
enum Take {
    Pick(u32),
    /// With the clause on the query.
    PickOf(u32),
    Claim(u32),
    /// Outside of a transaction.
    ClaimAlone(u32),
}

pub(super) fn run(world: &World<'_>, class: Class) -> Tally {
    let mut players: Vec<Player<'_>> = (0..SESSIONS).map(|thread| Player::new(world, thread, Role::Worker)).collect();
    let mut round = 0;
    while round == 0 || !world.is_over() {
        round += 1;
        world.arena.execute(&tasks_of(class));
        let given = Given::default();
        together(world, &mut players, |player| player.work_off(class, &given, round));
        // What was held and put back when all others had gone.
        let last = &mut players[0];
        last.work_off(class, &given, round);
        let given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
        for task in 1..=TASKS {
            let workers = given.get(&task).map_or(&[][..], Vec::as_slice);
            let expected = usize::from(queue_of(class, task) != REFUSED);
            // A round that was cut short leaves tasks over.
            if workers.len() != expected && !(workers.is_empty() && world.is_overdue()) {
                let got = format!("task {task} in round {round}: sessions {workers:?}");
                last.judge.broken(Rule::Once, format!("each task is given {expected} time(s)"), got);
            }
        }
    }
    Player::sum(players)
}

fn queue_of(class: Class, task: i32) -> i32 {
    match class {
        Class::Trigger if priority(task) == 0 => REFUSED,
        _ => 1 + task % 2,
    }
}

fn priority(task: i32) -> i32 {
    task * 7 % 10 / 3
}

fn tasks_of(class: Class) -> String {
    let rows: Vec<String> =
        (1..=TASKS).map(|task| format!("({task}, {}, 'new', {}, 0)", queue_of(class, task), task * 7 % 10)).collect();
    format!("DELETE FROM taken; DELETE FROM tasks; INSERT INTO tasks VALUES {}", rows.join(", "))
}

impl Player<'_> {
    /// Takes tasks until there are none for a while.
    fn work_off(&mut self, class: Class, given: &Given, round: usize) {
        let mut empty = 0;
        while empty < 3 && !self.judge.world.is_overdue() {
            let mut random = self.next();
            let take = Take::draw(&mut random, class);
            let (variant, undo, retries) = (random.bool(), random.u8(..8) == 0, random.bool());
            self.judge.what = format!("round {round}: {take:?}{}", if undo { ", rolled back" } else { "" });
            let tasks = match take {
                Take::ClaimAlone(_) => self.call(|conn| take.run(class, variant, conn)),
                _ => self.take_in_transaction(take, class, variant, retries, undo),
            };
            let Some(tasks) = tasks else { continue };
            self.judge.tally.rows += tasks.len();
            if tasks.is_empty() {
                empty += 1;
                thread::sleep(Duration::from_millis(2));
            } else {
                empty = 0;
            }
            let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
            for task in tasks {
                given.entry(task.id).or_default().push(self.judge.thread);
            }
        }
    }

    /// The tasks, if that was committed.
    fn take_in_transaction(
        &mut self,
        take: Take,
        class: Class,
        variant: bool,
        retries: bool,
        undo: bool,
    ) -> Option<Vec<Task>> {
        let mut tasks = Vec::new();
        let committed = self.transaction(retries, &[], |conn, _, _| {
            tasks = take.run(class, variant, conn)?;
            for task in &tasks {
                execute(conn, &format!("UPDATE tasks SET status = 'done' WHERE id = {}", task.id))?;
                execute(conn, &insert_taken(task.id))?;
            }
            // A worker that finds nothing has nothing to put back.
            if undo && !tasks.is_empty() { Err(End::Undo) } else { Ok(()) }
        });
        committed.then_some(tasks)
    }
}

impl Take {
    fn draw(random: &mut Rng, class: Class) -> Self {
        let n = random.u32(1..=3);
        match class {
            // The trigger refuses any update.
            Class::Trigger => Take::ClaimAlone(n),
            // What a claim writes does not end the match: the transaction does.
            Class::Subquery if random.bool() => Take::Pick(n),
            Class::Subquery => Take::Claim(n),
            _ => match random.u8(..4) {
                0 => Take::Pick(n),
                // What a subquery says is as old as the statement: documented.
                1 if matches!(class, Class::Own | Class::Join) => Take::PickOf(n),
                2 => Take::Claim(n),
                _ => Take::ClaimAlone(n),
            },
        }
    }

    /// One of the two spellings of the class.
    fn run(self, class: Class, variant: bool, conn: &mut Conn) -> Result<Vec<Task>, LockError> {
        if class == Class::Join {
            let joined = || -> Joined {
                let new = tasks::table.inner_join(queues::table).filter(tasks::status.eq("new"));
                new.filter(queues::name.eq("main")).order((tasks::priority, tasks::id)).into_boxed()
            };
            return match self {
                Take::Pick(n) => joined().pick(n, conn),
                Take::PickOf(n) => joined().select(Task::as_select()).for_update_of(tasks::table).pick(n, conn),
                Take::Claim(n) | Take::ClaimAlone(n) => joined().claim(n, tasks::status.eq("done"), conn),
            };
        }
        let query = query(class, variant).order((tasks::priority, tasks::id));
        match self {
            Take::Pick(n) => query.pick(n, conn),
            Take::PickOf(n) => query.select(Task::as_select()).for_update_of(tasks::table).pick(n, conn),
            Take::Claim(n) if class == Class::Subquery => query.claim(n, tasks::owner.eq(1), conn),
            Take::Claim(n) | Take::ClaimAlone(n) => query.claim(n, tasks::status.eq("done"), conn),
        }
    }
}

fn query(class: Class, variant: bool) -> Boxed {
    match (class, variant) {
        (Class::Subquery, true) => {
            let done = taken::table.filter(taken::task_id.eq(tasks::id));
            tasks::table.filter(not(exists(done))).into_boxed()
        }
        (Class::Subquery, false) => {
            tasks::table.filter(tasks::id.ne_all(taken::table.select(taken::task_id))).into_boxed()
        }
        (Class::Alias, true) => {
            let other = alias!(tasks as other);
            let new = other.filter(other.field(tasks::status).eq("new")).select(other.field(tasks::id));
            tasks::table.filter(tasks::id.eq_any(new)).into_boxed()
        }
        (Class::Alias, false) => {
            let other = alias!(tasks as other);
            let same = other.filter(other.field(tasks::id).eq(tasks::id));
            tasks::table.filter(exists(same.filter(other.field(tasks::status).eq("new")))).into_boxed()
        }
        (Class::Function, _) => tasks::table.filter(task_is_new(tasks::id)).into_boxed(),
        (Class::Own | Class::Raw | Class::Join | Class::Trigger, _) => {
            tasks::table.filter(tasks::status.eq("new")).into_boxed()
        }
    }
}
