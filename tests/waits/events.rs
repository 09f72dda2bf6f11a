//! The spans and events of `tracing`, heard by a subscriber.

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{
    AdvisoryLock, LockDsl, LockError, LockQueryDsl, LockSet, LockTransaction, PickDsl, RunAdvisoryLock, RunLockQuery,
    RunLockSet, RunLockTransaction,
    events::{self, StatementTime},
};
use tracing::{
    Event, Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record as Values},
    subscriber::with_default,
};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::{Account, Job, Order},
    nonblocking::{Nonblocking, block_on},
    schema::{accounts, jobs},
};

/// A subscriber that writes down everything, each span once with all of its fields when it is closed.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    lines: Vec<String>,
    /// Each span, and how many hold it.
    spans: Vec<(String, usize)>,
    /// The times of the events, in the order of their fields.
    times: Vec<(&'static str, u64)>,
}

impl Record {
    fn span(&mut self, id: &Id) -> &mut (String, usize) {
        &mut self.spans[id.into_u64() as usize - 1]
    }
}

impl Heard {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }

    fn lines(&self) -> Vec<String> {
        self.record().lines.clone()
    }

    /// The lines of this level or above it.
    fn above_debug(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| !line.starts_with("DEBUG")).collect()
    }
}

/// Writes fields into a line, those of times without their values, which go into a list.
struct Fields<'l>(&'l mut String, Vec<(&'static str, u64)>);

impl Visit for Fields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name().ends_with("_ms") {
            self.1.push((field.name(), value));
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let time = field.name().ends_with("_ms");
        let _ =
            if time { write!(self.0, " {}=_", field.name()) } else { write!(self.0, " {}={value:?}", field.name()) };
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("diesel_lockset")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = format!("{} span {}", span.metadata().level(), span.metadata().name());
        span.record(&mut Fields(&mut line, Vec::new()));
        let mut heard = Heard::record(self);
        heard.spans.push((line, 1));
        Id::from_u64(heard.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Values<'_>) {
        values.record(&mut Fields(&mut Heard::record(self).span(span).0, Vec::new()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        let mut fields = Fields(&mut line, Vec::new());
        event.record(&mut fields);
        let times = fields.1;
        let mut heard = Heard::record(self);
        heard.lines.push(line);
        heard.times.extend(times);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        Heard::record(self).span(id).1 += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut heard = Heard::record(self);
        let (line, holders) = heard.span(&id);
        *holders -= 1;
        let closed = (*holders == 0).then(|| line.clone());
        let last = closed.is_some();
        heard.lines.extend(closed);
        last
    }
}

fn hear(what: impl FnOnce()) -> Heard {
    let heard = Heard::default();
    with_default(heard.clone(), what);
    heard
}

#[test]
fn a_span_for_each_call_with_its_statements() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let conn = session.conn();
    let heard = hear(|| {
        conn.transaction(|conn| {
            LockSet::new()
                .ids::<Account>([1, 2])
                .id::<Order>(1)
                .query::<Account>(accounts::table)
                .no_wait()
                .lock(conn)?;
            LockSet::new().for_share().id::<Account>(1).name_holders().timeout(Duration::from_secs(9)).lock(conn)?;
            let _: Option<Job> = jobs::table.filter(jobs::status.eq("new")).order(jobs::id).pick_next(conn)?;
            let _: Vec<Account> = accounts::table.for_update_of(accounts::table).load(conn)?;
            AdvisoryLock::id::<Account>(77).acquire_for_transaction(conn)?;
            assert!(LockSet::new().id::<Account>(4711).lock(conn).is_err());
            Ok::<_, LockError>(())
        })
        .unwrap();
    });
    let expected = [
        "INFO span lock_set tables=\"\\\"accounts\\\", \\\"orders\\\"\" rows=3 queries=1 advisory_locks=0 strength=Update wait=NoWait \
         elapsed_ms=_ statements=2",
        "INFO span lock_set tables=\"\\\"accounts\\\"\" rows=1 queries=0 advisory_locks=0 strength=Share wait=Timeout(9s) elapsed_ms=_ \
         statements=4",
        "INFO span pick tables=\"\\\"jobs\\\"\" claims=false elapsed_ms=_ statements=1",
        "INFO span lock_query tables=\"\\\"accounts\\\"\" elapsed_ms=_",
        "INFO span advisory_lock shared=false wait=Block elapsed_ms=_ statements=1",
        "INFO span lock_set tables=\"\\\"accounts\\\"\" rows=1 queries=0 advisory_locks=0 strength=Update wait=Block elapsed_ms=_ \
         statements=2 error=\"Missing\"",
    ];
    assert_eq!(heard.above_debug(), expected);
    let debug = heard.lines().join("\n");
    for key in ["Account 1\", \"Account 2", "Account|77", "Account 4711 does not exist"] {
        assert!(debug.contains(key), "{key}: {debug}");
    }
}

#[test]
fn retries_steps_back_and_giving_up() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let heard = hear(|| {
        let mut tries = 0;
        let transaction = LockTransaction::new().retries(1).backoff(Duration::from_millis(1), Duration::from_millis(1));
        let failed = transaction.run(session.conn(), |conn| {
            tries += 1;
            LockSet::new().id::<Order>(1).lock(conn)?;
            LockSet::new().id::<Account>(3).lock(conn)?;
            Err::<(), _>(LockError::from(deadlock()))
        });
        assert!(matches!(failed, Err(LockError::RetriesExhausted { tries: 2, .. })), "{failed:?}");
    });
    let events: Vec<String> = heard.above_debug().into_iter().filter(|line| !line.contains(" span ")).collect();
    assert_eq!(events.len(), 4, "{events:#?}");
    let back = "WARN message=a lock set went back behind an earlier one";
    assert!(events[0].starts_with(back) && events[2].starts_with(back), "{events:#?}");
    assert!(events[0].ends_with(r#"after="\"orders\"" back_to="\"accounts\"""#), "{events:#?}");
    assert_eq!(events[1], "INFO message=a transaction is run again attempt=1 class=Some(Retryable) pause_ms=_");
    assert_eq!(events[3], "WARN message=a transaction was given up attempts=2 class=Some(Retryable) elapsed_ms=_");
}

fn deadlock() -> diesel::result::Error {
    let message = Box::new("deadlock detected".to_owned());
    diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::SerializationFailure, message)
}

/// The thresholds are those of the process: one test changes both.
#[test]
fn long_waits_and_long_holds() {
    let arena = Arena::new();
    events::set_long_hold(Duration::from_millis(50));
    let mut session = Blocking::connect(arena.url());
    let heard = hear(|| {
        let account: Account = accounts::table.find(1).first(session.conn()).unwrap();
        let held = account.with_lock(session.conn(), |_, _| {
            thread::sleep(Duration::from_millis(60));
            Ok::<_, LockError>(())
        });
        held.unwrap();
        LockTransaction::new()
            .run(session.conn(), |conn| {
                thread::sleep(Duration::from_millis(60)); // before the first lock
                LockSet::new().id::<Account>(1).lock(conn).map(drop)
            })
            .unwrap();
        let lock = AdvisoryLock::named("long");
        let sleep = |_: &mut _| {
            thread::sleep(Duration::from_millis(60));
            Ok::<_, LockError>(())
        };
        lock.clone().hold_session(session.conn(), sleep).unwrap();
        // It is released by the text that commits.
        lock.hold(session.conn(), sleep).unwrap();
    });
    let held: Vec<String> = heard.lines().into_iter().filter(|line| line.contains("held long")).collect();
    let until = |what: &str| format!("WARN message=locks were held long held_ms=_ until=\"{what}\"");
    let released = until("the release of an advisory lock");
    assert_eq!(held, [until("the end of the transaction"), released.clone(), released]);

    // Half of the time passes in the program, and half in a statement of the application.
    session.conn().set_instrumentation(StatementTime::new());
    let heard = hear(|| {
        let worked = LockTransaction::new().run(session.conn(), |conn| {
            LockSet::new().id::<Account>(1).lock(conn)?;
            thread::sleep(Duration::from_millis(60));
            conn.batch_execute("SELECT pg_sleep(0.06)").map_err(LockError::from)
        });
        worked.unwrap();
        let worked = AdvisoryLock::named("long").hold_session(session.conn(), |conn| {
            thread::sleep(Duration::from_millis(60));
            conn.batch_execute("SELECT pg_sleep(0.06)").map_err(LockError::from)
        });
        worked.unwrap();
    });
    let times = heard.record().times.clone();
    let [("held_ms", in_transaction), ("idle_ms", idle), ("held_ms", in_hold), ("idle_ms", idle_in_hold)] = times[..]
    else {
        panic!("{times:?}")
    };
    for (held, idle) in [(in_transaction, idle), (in_hold, idle_in_hold)] {
        assert!(idle >= 60 && idle + 60 <= held, "{times:?}");
    }
    events::set_long_hold(Duration::from_secs(1));

    let mut holder = Blocking::connect(arena.url());
    holder.begin().unwrap();
    holder.lock_by_id::<Account>(1).unwrap();
    let heard = hear(|| {
        session.begin().unwrap();
        events::set_long_wait(Duration::from_millis(40));
        let set = LockSet::new().id::<Account>(1).timeout(Duration::from_millis(60));
        assert!(matches!(set.lock(session.conn()), Err(LockError::TimedOut { .. })));
        events::set_long_wait(Duration::from_secs(1));
        session.rollback().unwrap();
    });
    let long: Vec<String> = heard.above_debug().into_iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(long, [r#"WARN message=a lock call took long tables="\"accounts\"" elapsed_ms=_ error="TimedOut""#]);
    holder.rollback().unwrap();
}

#[test]
fn the_same_over_an_asynchronous_connection() {
    let arena = Arena::new();
    let mut session = Nonblocking::connect(arena.url());
    session.begin().unwrap();
    let heard = hear(|| {
        let set = LockSet::new().ids::<Account>([1, 2]);
        block_on(diesel_lockset::nonblocking::RunLockSet::lock(set, session.conn())).unwrap();
    });
    session.rollback().unwrap();
    assert_eq!(
        heard.above_debug(),
        [
            "INFO span lock_set tables=\"\\\"accounts\\\"\" rows=2 queries=0 advisory_locks=0 strength=Update wait=Block elapsed_ms=_ statements=1"
        ]
    );
}
