//! The table of jobs: which comes next, how a try at one ends, and what is written down then. Nothing here but `fill` sends a
//! statement: the examples with blocking and with asynchronous workers share it.

use diesel::{
    connection::SimpleConnection,
    dsl::sql,
    expression::SqlLiteral,
    insert_into,
    prelude::*,
    query_builder::{QueryFragment, QueryId},
    sql_types::{Text, Timestamp},
    update,
};
use diesel_lockset::Lockable;

use crate::shared::{Conn, ON_MYSQL};

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        priority -> Integer,
        status -> Text,
        attempts -> Integer,
        run_at -> Timestamp,
        locked_until -> Nullable<Timestamp>,
        locked_by -> Nullable<Text>,
        last_error -> Nullable<Text>,
    }
}
diesel::table! {
    /// What every job that was done to its end leaves behind, in the transaction that ends it.
    done (id) { id -> BigInt, job_id -> BigInt, worker -> Text, }
}

/// `done.job_id` is not unique: that would prevent what is to be measured.
pub(crate) const TABLES: &str = if ON_MYSQL { MYSQL_TABLES } else { POSTGRES_TABLES };

/// The index has the order of [`due`] and only what is left to do, so a pick reads the first few entries of it and sorts
/// nothing, however many jobs are done. Rows have room for their next version, so that a claim, which changes no indexed
/// column, need not touch any index.
const POSTGRES_TABLES: &str = "
    CREATE TABLE jobs (
        id bigint PRIMARY KEY,
        kind text NOT NULL,
        priority int NOT NULL,
        status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'done', 'dead')),
        attempts int NOT NULL DEFAULT 0,
        run_at timestamp NOT NULL DEFAULT now(),
        locked_until timestamp,
        locked_by text,
        last_error text
    ) WITH (fillfactor = 70);
    CREATE INDEX jobs_next ON jobs (priority DESC, run_at, id) WHERE status = 'ready';
    CREATE TABLE done (id bigserial PRIMARY KEY, job_id bigint NOT NULL, worker text NOT NULL)";

/// The same, but there are no indexes of some rows only, so the status comes first in this one; and no room to be left.
const MYSQL_TABLES: &str = "
    CREATE TABLE jobs (
        id bigint PRIMARY KEY,
        kind varchar(20) NOT NULL,
        priority int NOT NULL,
        status varchar(20) NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'done', 'dead')),
        attempts int NOT NULL DEFAULT 0,
        run_at timestamp(6) NOT NULL DEFAULT now(6),
        locked_until timestamp(6) NULL,
        locked_by varchar(40),
        last_error text
    );
    CREATE INDEX jobs_next ON jobs (status, priority DESC, run_at, id);
    CREATE TABLE done (id bigint AUTO_INCREMENT PRIMARY KEY, job_id bigint NOT NULL, worker varchar(40) NOT NULL)";

/// A job that failed so often is dead.
pub(crate) const MOST_TRIES: i32 = 5;

/// The pause after the first failed try. Each is double the one before.
const FIRST_PAUSE_MS: i32 = 50;

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = jobs)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) attempts: i32,
}

/// How a try at a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It failed and will be tried again.
    Again,
    /// It failed for the last time.
    Dead,
    /// It was not this worker's any more, so nothing was written down.
    Lost,
}

/// How the work on a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    /// By an error of the application.
    Fails,
    /// By an error of the database: the transaction that it works in is aborted.
    BreaksTransaction,
}

type Backend = <Conn as Connection>::Backend;

/// A statement that every connection to this kind of server can send.
pub(crate) trait Change: QueryFragment<Backend> + QueryId + Send {}

impl<S: QueryFragment<Backend> + QueryId + Send> Change for S {}

/// The jobs that are left to do, now or later.
///
/// A literal, not `eq("ready")`: that is a bind parameter, and a plan for any value of it cannot use the partial index.
pub(crate) fn left() -> jobs::BoxedQuery<'static, Backend> {
    jobs::table.filter(jobs::status.eq(sql::<Text>("'ready'"))).into_boxed()
}

/// The jobs that may be done now, the most urgent ones first.
pub(crate) fn due() -> jobs::BoxedQuery<'static, Backend> {
    left().filter(jobs::run_at.le(in_millis(0))).order((jobs::priority.desc(), jobs::run_at, jobs::id))
}

/// The moment so many milliseconds after this one, by the server's clock: each worker's may be another.
pub(crate) fn in_millis(millis: i64) -> SqlLiteral<Timestamp> {
    sql(&if ON_MYSQL {
        format!("LOCALTIMESTAMP(6) + INTERVAL {} MICROSECOND", millis * 1_000)
    } else {
        format!("LOCALTIMESTAMP + interval '{millis} milliseconds'")
    })
}

impl Job {
    /// The row, if it still is as it was when it was taken. With the row locked that goes without saying; with a lease,
    /// another worker may have it by now, and has counted up `attempts`, so one UPDATE asks and acts at once.
    #[diesel::dsl::auto_type(no_type_alias)]
    fn as_taken(&self) -> _ {
        let attempts: i32 = self.attempts;
        let id: i64 = self.id;
        jobs::table.find(id).filter(jobs::attempts.eq(attempts)).filter(jobs::status.eq("ready"))
    }

    /// A `shaky` job fails at its first try, a `poison` one at every try.
    pub(crate) fn fate(&self, tries: i32) -> Fate {
        match &*self.kind {
            "poison" => Fate::BreaksTransaction,
            "shaky" if tries == 1 => Fate::Fails,
            _ => Fate::Succeeds,
        }
    }

    /// Marks the job as done. If it changes nothing, the job is not this worker's any more.
    pub(crate) fn mark_done(&self) -> impl Change {
        update(self.as_taken()).set((
            jobs::status.eq("done"),
            jobs::locked_until.eq(None::<chrono::NaiveDateTime>),
            jobs::locked_by.eq(None::<&str>),
        ))
    }

    /// The line in the log. It belongs into the transaction of [`mark_done`](Self::mark_done): that the job is done and what it
    /// leaves behind are one change.
    pub(crate) fn log_line(&self, worker: &str) -> impl Change {
        insert_into(done::table).values((done::job_id.eq(self.id), done::worker.eq(worker)))
    }

    /// Notes that the job failed, for the `tries`th time: it is due again after a pause, or dead. If it changes nothing, the
    /// job is not this worker's any more.
    pub(crate) fn mark_failed(&self, tries: i32, error: &str) -> (impl Change, Outcome) {
        let (status, outcome) = if tries < MOST_TRIES { ("ready", Outcome::Again) } else { ("dead", Outcome::Dead) };
        let pause = FIRST_PAUSE_MS << (tries - 1).clamp(0, 10);
        let change = update(self.as_taken()).set((
            jobs::status.eq(status),
            jobs::attempts.eq(tries),
            jobs::run_at.eq(in_millis(pause.into())),
            jobs::locked_until.eq(None::<chrono::NaiveDateTime>),
            jobs::locked_by.eq(None::<&str>),
            jobs::last_error.eq(error),
        ));
        (change, outcome)
    }
}

/// Begins anew: so many jobs, of three priorities, that can be done, of which each fiftieth fails at first, and some that
/// cannot.
pub(crate) fn fill(jobs: u32, poison: u32, conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("TRUNCATE TABLE jobs; TRUNCATE TABLE done")?;
    let all: Vec<i64> = (1..=i64::from(jobs) + i64::from(poison)).collect();
    for some in all.chunks(1_000) {
        let job = |&n: &i64| {
            let kind = if n > jobs.into() {
                "poison"
            } else if n % 50 == 0 {
                "shaky"
            } else {
                "plain"
            };
            (jobs::id.eq(n), jobs::kind.eq(kind), jobs::priority.eq((n % 3) as i32))
        };
        insert_into(jobs::table).values(some.iter().map(job).collect::<Vec<_>>()).execute(conn)?;
    }
    conn.batch_execute(if ON_MYSQL { "ANALYZE TABLE jobs" } else { "ANALYZE jobs" })
}
