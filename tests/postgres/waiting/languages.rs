//! Servers that speak German and Japanese: the same classes as in English.

use std::time::Duration;

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{LockError, LockSet};

use super::{beginner, holder, stale};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        patience::until,
        postgres::urls,
    },
};

/// What a server says, and where it is.
struct Language {
    url: fn() -> String,
    deadlock: &'static str,
    lock_timeout: &'static str,
    statement_timeout: &'static str,
    canceled: &'static str,
    serialization: &'static str,
    no_wait: &'static str,
}

const GERMAN: Language = Language {
    url: urls::german_url,
    deadlock: "Verklemmung",
    lock_timeout: "storniere Anfrage wegen Zeitüberschreitung einer Sperre",
    statement_timeout: "storniere Anfrage wegen Zeitüberschreitung der Anfrage",
    canceled: "storniere Anfrage wegen Benutzeraufforderung",
    serialization: "konnte Zugriff nicht serialisieren",
    no_wait: "konnte Sperre für Zeile in Relation »accounts« nicht setzen",
};

const JAPANESE: Language = Language {
    url: urls::japanese_url,
    deadlock: "デッドロック",
    lock_timeout: "ロックのタイムアウトのためステートメントをキャンセルしています",
    statement_timeout: "ステートメントのタイムアウトのためステートメントをキャンセルしています",
    canceled: "ユーザーからの要求により文をキャンセルしています",
    serialization: "アクセスの直列化ができませんでした",
    no_wait: "リレーション\"accounts\"の行ロックを取得できませんでした",
};

const LANGUAGES: [Language; 2] = [GERMAN, JAPANESE];

/// The server said it in these words.
#[track_caller]
fn said(error: &LockError, words: &str) {
    let source = match error {
        LockError::TimedOut { source, .. } | LockError::Contended { source, .. } => source.as_deref(),
        LockError::Deadlock { source, .. }
        | LockError::Serialization { source, .. }
        | LockError::Canceled { source, .. } => Some(source),
        _ => None,
    };
    let Some(DieselError::DatabaseError(_, info)) = source else { panic!("{error:?}") };
    assert!(info.message().contains(words), "{:?} should say {words}", info.message());
}

/// Waits for account 1 until somebody or something ends the wait.
fn waits(
    play: &Play<Blocking>,
    setting: &'static str,
    timeout: Option<Duration>,
    end: impl FnOnce(&Actor<Blocking>),
) -> LockError {
    let holder = holder(play, &format!("holder {setting} {timeout:?}"), |set| set.id::<Account>(1));
    let patient = play.session(&format!("patient {setting} {timeout:?}"));
    let waiting = patient.start("waits", move |s| {
        s.execute(setting).unwrap();
        s.begin().unwrap();
        match timeout {
            Some(timeout) => s.timeout(&stale(), timeout).unwrap_err(),
            None => s.lock(&stale()).unwrap_err(),
        }
    });
    waiting.blocked_by(&holder);
    end(&patient);
    waiting.join()
}

/// G01, G09, P03.
#[test]
fn timeouts_are_timeouts_in_every_language() {
    for language in LANGUAGES {
        let arena = Arena::on((language.url)());
        let play = Play::<Blocking>::new(&arena);
        let short = Duration::from_millis(500);
        for (setting, timeout) in [("SET lock_timeout = 0", Some(short)), ("SET lock_timeout = '500ms'", None)] {
            let error = waits(&play, setting, timeout, |_| {});
            assert!(matches!(error, LockError::TimedOut { attempt: Some(_), .. }), "{error:?}");
            // The call's own timeout is told by the time: it may be the `statement_timeout` that ends the statement.
            if timeout.is_none() {
                said(&error, language.lock_timeout);
            }
        }
    }
}

/// G09, G12, P08.
#[test]
fn cancellations_are_cancellations_in_every_language() {
    for language in LANGUAGES {
        let arena = Arena::on((language.url)());
        let play = Play::<Blocking>::new(&arena);
        let long = Duration::from_secs(100);
        for timeout in [None, Some(long)] {
            let error = waits(&play, "SET statement_timeout = '500ms'", timeout, |_| {});
            assert!(matches!(error, LockError::Canceled { .. }), "{timeout:?}: {error:?}");
            said(&error, language.statement_timeout);
            let cancel = |patient: &Actor<Blocking>| {
                arena.execute(&format!("SELECT pg_cancel_backend({})", patient.pid()));
            };
            let error = waits(&play, "SET statement_timeout = 0", timeout, cancel);
            assert!(matches!(error, LockError::Canceled { .. }), "{timeout:?}: {error:?}");
            said(&error, language.canceled);
        }
    }
}

/// The error of the one that the server chose, after which the other one got what it wanted.
///
/// Which of them is heard of first says nothing: a statement that is a victim frees the rows of its whole transaction,
/// so that the other side may be done before the victim's error has arrived here. And a victim that has undone its call
/// only still holds its own row, so that the other side waits until it rolls back.
fn victim_of(
    one: Pending<Result<(), LockError>>,
    first: &Actor<Blocking>,
    other: Pending<Result<(), LockError>>,
    second: &Actor<Blocking>,
) -> LockError {
    until(|| (one.has_ended() || other.has_ended()).then_some(())).unwrap();
    let ((ended, its), (rest, theirs)) =
        if one.has_ended() { ((one, first), (other, second)) } else { ((other, second), (one, first)) };
    match ended.join() {
        Err(error) => {
            its.run("rolls back", |s| s.rollback()).unwrap();
            rest.join().unwrap();
            error
        }
        Ok(()) => {
            let error = rest.join().unwrap_err();
            theirs.run("rolls back", |s| s.rollback()).unwrap();
            error
        }
    }
}

/// H04, P01, P05.
#[test]
fn deadlocks_are_deadlocks_in_every_language() {
    type Wants = fn(&mut Blocking, i32) -> Result<(), LockError>;
    let verbs: [(&str, Wants); 3] = [
        ("lock", |s, id| s.lock_by_id::<Account>(id).map(drop)),
        ("lock, holders named", |s, id| s.lock_set(LockSet::new().id::<Account>(id).name_holders()).map(drop)),
        ("plain statement", |s, id| Ok(s.execute(&format!("UPDATE accounts SET v = 1 WHERE id = {id}")).map(drop)?)),
    ];
    for language in LANGUAGES {
        let arena = Arena::on((language.url)());
        for (verb, wants) in verbs {
            let play = Play::<Blocking>::new(&arena);
            let (first, second) = (beginner(&play, "first"), beginner(&play, "second"));
            first.run(verb, move |s| wants(s, 1)).unwrap();
            second.run(verb, move |s| wants(s, 2)).unwrap();
            let one = first.start(verb, move |s| wants(s, 2));
            one.blocked_by(&second);
            let other = second.start(verb, move |s| wants(s, 1));
            let error = victim_of(one, &first, other, &second);
            assert!(matches!(error, LockError::Deadlock { .. }) && error.is_retryable(), "{verb}: {error:?}");
            said(&error, language.deadlock);
        }
    }
}

/// O05, P04.
#[test]
fn serialization_failures_are_serialization_failures_in_every_language() {
    for language in LANGUAGES {
        let arena = Arena::on((language.url)());
        let mut session = Blocking::connect(arena.url());
        session.begin_as("ISOLATION LEVEL REPEATABLE READ").unwrap();
        assert_eq!(session.number("SELECT v FROM accounts WHERE id = 1"), Ok(0));
        arena.execute("UPDATE accounts SET v = 1 WHERE id = 1");
        let error = session.lock(&stale()).unwrap_err();
        assert!(matches!(error, LockError::Serialization { .. }), "{error:?}");
        said(&error, language.serialization);
    }
}

/// D01, P02.
#[test]
fn no_wait_is_contended_in_every_language() {
    for language in LANGUAGES {
        let arena = Arena::on((language.url)());
        let play = Play::<Blocking>::new(&arena);
        let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
        let mut session = Blocking::connect(arena.url());
        session.begin().unwrap();
        let error = session.no_wait(&stale()).unwrap_err();
        assert!(matches!(&error, LockError::Contended { rows, .. } if rows.len() == 1), "{error:?}");
        assert!(!error.transaction_is_lost(), "{error:?}");
        let own = diesel::sql_query("SELECT FROM accounts FOR UPDATE NOWAIT").execute(session.conn());
        let error = LockError::of_locking_statement(own.unwrap_err());
        assert!(matches!(error, LockError::Contended { .. }), "{error:?}");
        said(&error, language.no_wait);
    }
}
