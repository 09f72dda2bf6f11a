//! Error types of the application: whichever the closure of a `LockTransaction` returns, its class is found.

use std::{cell::RefCell, error::Error, sync::Arc, time::Duration};

use diesel::{
    RunQueryDsl,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_lockset::{LockDsl, LockError, LockSet, LockTransaction, Lockable as _, RunLockSet, RunLockTransaction};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        postgres::{Postgres, waits},
        schema::accounts,
        server::Server,
    },
};

type BoxError = Box<dyn Error + Send + Sync>;

/// The commonest of all.
#[derive(Debug, thiserror::Error)]
enum Transparent {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Database(#[from] DieselError),
}

/// Transparent over transparent.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Twice(#[from] Transparent);

/// The error lies beneath a text of its own.
#[derive(Debug, thiserror::Error)]
#[error("the transfer failed")]
struct Beneath(#[source] Twice);

/// Shared, so that it can be cloned.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the transfer failed")]
struct Shared(#[source] Arc<Transparent>);

#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
struct SharedAlone(Arc<LockError>);

/// As an error of the operating system, which hides what is in it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct AsIo(std::io::Error);

/// By way of Diesel's error, and hidden there.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct ThroughDiesel(DieselError);

/// Within Diesel's error, as an application's own.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct WithinDiesel(DieselError);

#[derive(Debug, thiserror::Error)]
#[error("in context")]
struct InContext(#[source] BoxError);

macro_rules! from_both {
    ($($E:ty: $make:expr;)*) => {$(
        impl From<LockError> for $E {
            fn from(error: LockError) -> Self {
                let make: fn(LockError) -> $E = $make;
                make(error)
            }
        }
        impl From<DieselError> for $E {
            fn from(error: DieselError) -> Self {
                LockError::from(error).into()
            }
        }
    )*};
}

from_both! {
    Twice: |error| Twice(error.into());
    Beneath: |error| Beneath(error.into());
    Shared: |error| Shared(Arc::new(error.into()));
    SharedAlone: |error| SharedAlone(Arc::new(error));
    AsIo: |error| AsIo(std::io::Error::other(error));
    ThroughDiesel: |error| ThroughDiesel(error.into());
    WithinDiesel: |error| WithinDiesel(DieselError::QueryBuilderError(Box::new(Transparent::from(error))));
    InContext: |error| InContext(Box::new(Beneath::from(error)));
}

fn quick() -> LockTransaction {
    LockTransaction::new().retries(2).backoff(Duration::from_millis(1), Duration::from_millis(1))
}

/// How often a closure is run that returns this as an `$E`.
macro_rules! tries {
    ($conn:expr, $transaction:expr, $E:ty, $error:expr) => {{
        let mut tries = 0;
        let failed = $transaction.run($conn, |_| {
            tries += 1;
            Err::<(), $E>($error.into())
        });
        assert!(failed.is_err());
        tries
    }};
}

type Fails = fn() -> LockError;

/// Each class, with the tries without asking for more, with contended ones, with timed out ones.
fn classes() -> [(Fails, [u32; 3]); 10] {
    [
        (|| LockError::LimitedRowsChanged { table: "accounts".to_owned() }, [3, 3, 3]),
        (|| LockError::Deadlock { attempt: None, source: lost() }, [3, 3, 3]),
        (|| LockError::Deadlock { attempt: None, source: DieselError::NotFound }, [3, 3, 3]),
        (|| LockError::Serialization { attempt: None, source: lost() }, [3, 3, 3]),
        (|| LockError::Contended { rows: vec![], holders: vec![], source: None }, [1, 3, 1]),
        (|| LockError::TimedOut { attempt: None, source: None }, [1, 1, 3]),
        (|| LockError::of_locking_statement(raised("canceling statement due to lock timeout")), [1, 1, 3]),
        (
            || {
                let words = "could not obtain lock on row in relation \"accounts\"";
                LockError::of_locking_statement(raised(words))
            },
            [1, 3, 1],
        ),
        (|| LockError::Missing { rows: vec![] }, [1, 1, 1]),
        (|| LockError::of_locking_statement(raised("canceling statement due to statement timeout")), [1, 1, 1]),
    ]
}

fn lost() -> DieselError {
    let words = "could not serialize access due to concurrent update";
    DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(words.to_owned()))
}

fn raised(words: &str) -> DieselError {
    DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(words.to_owned()))
}

macro_rules! each_class_is_found {
    ($conn:expr; $($E:ty),*) => {{
        let mut wrong = Vec::new();
        $(
        for (fails, expected) in classes() {
            let tries = [
                tries!($conn, quick(), $E, fails()),
                tries!($conn, quick().retry_contended(), $E, fails()),
                tries!($conn, quick().retry_timed_out(), $E, fails()),
            ];
            if tries != expected {
                wrong.push(format!("{}: {tries:?} in place of {expected:?} for {:?}", stringify!($E), fails()));
            }
        })*
        assert!(wrong.is_empty(), "{wrong:#?}");
    }};
}

#[test]
fn the_class_is_found_in_any_error_type() {
    let arena = Arena::new();
    let conn = &mut arena.pg();
    each_class_is_found!(conn; LockError, DieselError, Transparent, Twice, Beneath, Shared, SharedAlone, AsIo,
        ThroughDiesel, WithinDiesel, InContext);
}

#[test]
fn the_class_is_found_in_errors_of_any_kind_at_all() {
    let arena = Arena::new();
    let conn = &mut arena.pg();
    each_class_is_found!(conn; BoxError, anyhow::Error);
}

/// `?` in a closure that returns `anyhow::Error` or a box, with and without words of its own.
#[test]
fn the_class_is_found_beneath_a_context() {
    let arena = Arena::new();
    let conn = &mut arena.pg();
    for (fails, [expected, ..]) in classes() {
        let context =
            || anyhow::Error::from(Transparent::from(fails())).context("the transfer failed").context("again");
        assert_eq!(tries!(conn, quick(), anyhow::Error, context()), expected, "{:?}", fails());
        assert_eq!(tries!(conn, quick(), BoxError, context()), expected, "{:?}", fails());
        assert_eq!(tries!(conn, quick(), BoxError, Twice::from(fails())), expected, "{:?}", fails());
    }
    // Diesel's errors have a class too.
    assert_eq!(tries!(conn, quick(), anyhow::Error, lost()), 3);
    assert_eq!(tries!(conn, quick(), anyhow::Error, anyhow::Error::from(lost()).context("again")), 3);
    assert_eq!(tries!(conn, quick(), BoxError, lost()), 3);
    assert_eq!(tries!(conn, quick(), anyhow::Error, DieselError::NotFound), 1);
    assert_eq!(tries!(conn, quick(), anyhow::Error, anyhow::anyhow!("no such luck")), 1);
}

/// What an inner transaction gave up is retried by the outer one.
#[test]
fn the_class_is_found_in_what_was_given_up() {
    let arena = Arena::new();
    let conn = &mut arena.pg();
    macro_rules! nested {
        ($($E:ty),*) => {$(
            for error in [|| <$E>::from(lost()), || <$E>::from(LockError::LimitedRowsChanged { table: String::new() })] {
                let mut tries = 0;
                let given_up = quick().run(conn, |conn| {
                    tries += 1;
                    quick().run(conn, |_| Err::<(), $E>(error()))
                });
                assert!(given_up.is_err());
                assert_eq!(tries, 3, "{}", stringify!($E));
            }
        )*};
    }
    nested!(LockError, Twice, Beneath, Shared, AsIo, InContext, BoxError, anyhow::Error);
}

#[test]
fn the_error_comes_back_as_it_was_and_can_be_looked_at_meanwhile() {
    let arena = Arena::new();
    let conn = &mut arena.pg();
    let own = quick().run(conn, |_| Err::<(), anyhow::Error>(anyhow::anyhow!("too poor")));
    assert_eq!(own.unwrap_err().to_string(), "too poor");
    let missing = quick().run(conn, |conn| Ok::<_, anyhow::Error>(Account::lock_by_id(77, conn)?));
    assert!(matches!(missing.unwrap_err().downcast_ref(), Some(LockError::Missing { .. })));
    let missing = quick().run(conn, |conn| Ok::<_, BoxError>(Account::lock_by_id(77, conn)?));
    assert!(matches!(missing.unwrap_err().downcast_ref(), Some(LockError::Missing { .. })));
    // Both hooks see the error itself.
    let (mut asked, mut seen) = (0, 0);
    let transaction = quick().retry_when(|error| {
        asked += 1;
        matches!(error.downcast_ref(), Some(LockError::Missing { .. }))
    });
    let transaction = transaction.before_retry(|error, _| {
        seen += 1;
        assert!(error.is::<LockError>());
    });
    let given_up = transaction.run(conn, |conn| Ok::<_, anyhow::Error>(Account::lock_by_id(77, conn)?)).unwrap_err();
    assert_eq!((asked, seen), (3, 2));
    let Some(LockError::RetriesExhausted { tries: 3, .. }) = given_up.downcast_ref() else { panic!("{given_up:?}") };
}

/// A transaction whose first try meets an error of a server, and whose second one would succeed.
macro_rules! is_retried {
    ($name:expr, $arena:expr, $transaction:expr, $E:ty, $call:expr) => {{
        let play = Play::<Blocking>::new($arena);
        let holder = play.session($name);
        holder.run("locks", |s| s.begin().map(|()| s.lock_by_id::<Account>(1).unwrap())).unwrap();
        let mut tries = 0;
        let transaction: LockTransaction = $transaction;
        let transaction = transaction.before_retry(|_, _| holder.run("commits", |s| s.commit()).unwrap());
        let call: fn(&mut PgConnection) -> Result<(), $E> = $call;
        let done = transaction.run(&mut $arena.pg(), |conn| {
            tries += 1;
            call(conn)
        });
        assert!(done.is_ok(), "{}: {done:?}", $name);
        assert_eq!(tries, 2, "{}", $name);
    }};
}

macro_rules! lost_conflicts_are_retried {
    ($arena:expr; $($E:ty),*) => {$(
        is_retried!("no_wait", $arena, quick().retry_contended(), $E, |conn| {
            LockSet::new().id::<Account>(1).no_wait().lock(conn)?;
            Ok(())
        });
        is_retried!("a row without wait", $arena, quick().retry_contended(), $E, |conn| {
            Account { id: 1, owner: String::new(), balance: 0, v: 0 }.no_wait().lock(conn)?;
            Ok(())
        });
        is_retried!("timeout", $arena, quick().retry_timed_out(), $E, |conn| {
            LockSet::new().id::<Account>(1).timeout(Duration::from_millis(20)).lock(conn)?;
            Ok(())
        });
        is_retried!("lock_timeout", $arena, quick().retry_timed_out(), $E, |conn| {
            Postgres::execute(conn, "SET LOCAL lock_timeout = '20ms'")?;
            Account::lock_by_id(1, conn)?;
            Ok(())
        });
    )*};
}

#[test]
fn what_a_server_refuses_is_retried() {
    let arena = Arena::new();
    lost_conflicts_are_retried!(&arena; Transparent, Twice, Shared, AsIo, BoxError, anyhow::Error);
}

/// Two transactions wait for each other; the one under test is the first to notice.
macro_rules! a_deadlock_is_retried {
    ($arena:expr; $($E:ty: $name:expr, $second:expr;)*) => {$({
        let play = Play::<Blocking>::new($arena);
        let other = play.session($name);
        other.run("is patient", |s| s.execute("SET deadlock_timeout = '60s'")).unwrap();
        other.run("locks 2", |s| s.begin().map(|()| s.lock_by_id::<Account>(2).unwrap())).unwrap();
        let conn = &mut $arena.pg();
        Postgres::execute(conn, "SET deadlock_timeout = '10ms'").unwrap();
        let (mut tries, waiting) = (0, RefCell::new(None));
        let transaction = quick().before_retry(|_, _| {
            let waiting: crate::isolation::Pending<_> = waiting.take().unwrap();
            waiting.join();
            other.run("commits", |s| s.commit()).unwrap();
        });
        let second: fn(&mut PgConnection) -> Result<(), $E> = $second;
        let done = transaction.run(conn, |conn| {
            tries += 1;
            Account::lock_by_id(1, conn)?;
            if tries == 1 {
                *waiting.borrow_mut() = Some(other.start("locks 1", |s| s.lock_by_id::<Account>(1).unwrap()));
                waits::wait_until_blocked(&mut $arena.pg(), other.pid());
            }
            second(conn)
        });
        assert!(done.is_ok(), "{}, {}: {done:?}", stringify!($E), $name);
        assert_eq!(tries, 2, "{}, {}", stringify!($E), $name);
    })*};
}

#[test]
fn a_deadlock_is_retried_in_any_error_type() {
    fn locks<E: From<LockError>>(conn: &mut PgConnection) -> Result<(), E> {
        Account::lock_by_id(2, conn)?;
        Ok(())
    }
    fn updates<E: From<DieselError>>(conn: &mut PgConnection) -> Result<(), E> {
        diesel::update(accounts::table.find(2)).set(accounts::v.eq(1)).execute(conn)?;
        Ok(())
    }
    // Diesel's error itself within.
    fn transparent(conn: &mut PgConnection) -> Result<(), Transparent> {
        updates::<DieselError>(conn).map_err(Transparent::Database)
    }
    let arena = Arena::new();
    a_deadlock_is_retried! { &arena;
        Transparent: "a lock", locks;
        Twice: "a lock", locks;
        Shared: "a lock", locks;
        AsIo: "a lock", locks;
        BoxError: "a lock", locks;
        anyhow::Error: "a lock", locks;
        Transparent: "a statement", transparent;
        Twice: "a statement", updates;
        BoxError: "a statement", updates;
        anyhow::Error: "a statement", updates;
        DieselError: "a statement", updates;
    }
}

/// Each text once, along a whole chain, as `{:#}` of `anyhow` prints it; and the server's own words are in it.
#[test]
fn a_chain_says_everything_once() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = play.session("holder");
    holder.run("locks", |s| s.begin().map(|()| s.lock_by_id::<Account>(1).unwrap())).unwrap();
    let conn = &mut arena.pg();
    let mut fails = |call: fn(&mut PgConnection) -> Result<(), LockError>| conn.transaction(call).unwrap_err();
    let words = "duplicate key value violates unique constraint \"accounts_pkey\"";
    let twice = fails(|conn| Ok(Postgres::execute(conn, "INSERT INTO accounts VALUES (1, 'x', 0, 0)").map(drop)?));
    assert_eq!(twice.to_string(), format!("the statement failed: {words}"));
    let timed_out =
        fails(|conn| LockSet::new().id::<Account>(1).timeout(Duration::from_millis(20)).lock(conn).map(drop));
    let refused = fails(|conn| {
        let accounts = accounts::table.filter(accounts::id.eq(1)).for_update().no_wait();
        RunQueryDsl::execute(accounts, conn).map(drop).map_err(LockError::of_locking_statement)
    });
    let contended = fails(|conn| LockSet::new().id::<Account>(1).no_wait().lock(conn).map(drop));
    for (error, words) in [
        (twice, words),
        (timed_out, "canceling statement due to statement timeout"),
        (refused, "could not obtain lock on row in relation \"accounts\""),
        (contended, "held by another transaction"),
    ] {
        let (mut said, mut next) = (vec![error.to_string()], error.source());
        while let Some(source) = next {
            let text = source.to_string();
            assert!(said.iter().all(|before| !before.contains(&text) && !text.contains(before)), "{said:?}, {text}");
            said.push(text);
            next = source.source();
        }
        let all = format!("{:#}", anyhow::Error::from(error));
        assert_eq!(all, said.join(": "));
        assert_eq!(all.matches(words).count(), 1, "{all}");
    }
}
