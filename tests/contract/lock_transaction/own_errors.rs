//! Error types of the application's own: the class is found beneath them, and the rest comes back unchanged.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_lockset::{LockError, LockTransaction};

use super::{Arena, Driver, Own, lock, moved, run, touch};
use crate::support::driver::Session;

/// An error type that passes what is beneath it through.
#[derive(Debug, thiserror::Error)]
enum Transparent {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Database(#[from] DieselError),
}

/// An error type that says nothing of what it holds.
#[derive(Debug, thiserror::Error)]
enum Silent {
    #[error("the transfer failed")]
    Lock(LockError),
    #[error("the transfer failed")]
    Database(DieselError),
}

impl From<LockError> for Silent {
    fn from(error: LockError) -> Self {
        Silent::Lock(error)
    }
}

impl From<DieselError> for Silent {
    fn from(error: DieselError) -> Self {
        Silent::Database(error)
    }
}

/// An error that has one beneath it that has one beneath it.
#[derive(Debug, thiserror::Error)]
#[error("the transfer failed")]
struct Deep(#[source] Own);

impl From<LockError> for Deep {
    fn from(error: LockError) -> Self {
        Deep(error.into())
    }
}

impl From<DieselError> for Deep {
    fn from(error: DieselError) -> Self {
        Deep(error.into())
    }
}

fn quick() -> LockTransaction {
    LockTransaction::new().retries(2).backoff(Duration::from_millis(1), Duration::from_millis(1))
}

fn serialization() -> DieselError {
    DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new("lost".to_owned()))
}

/// How often a closure is run that fails like this.
fn tries<E>(s: &mut Driver, fails: impl Fn() -> E + Sync) -> u32
where
    E: std::error::Error + From<LockError> + From<DieselError> + Send + Sync + 'static,
{
    let mut tries = 0;
    run(s, quick().retry_contended().retry_timed_out(), |_| {
        tries += 1;
        Err::<(), E>(fails())
    })
    .unwrap_err();
    tries
}

fn timed_out() -> LockError {
    LockError::TimedOut { attempt: None, source: None }
}

/// P05, P06.
#[test]
fn the_class_is_found_beneath_the_applications_error() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let s = &mut session;
    assert_eq!(tries(s, || Own::Lock(moved())), 3);
    assert_eq!(tries(s, || Own::Lock(timed_out())), 3);
    assert_eq!(tries(s, || Own::Database(serialization())), 3);
    assert_eq!(tries(s, || Deep(moved().into())), 3);
    assert_eq!(tries(s, || Deep(serialization().into())), 3);
    assert_eq!(tries(s, serialization), 3);
    assert_eq!(tries(s, || DieselError::from(moved())), 3);
    assert_eq!(tries(s, || Transparent::Lock(moved())), 3);
    assert_eq!(tries(s, || Transparent::Lock(timed_out())), 3);
    assert_eq!(tries(s, || Transparent::Lock(LockError::NotInTransaction)), 1);
    assert_eq!(tries(s, || Deep(Own::TooPoor(1))), 1);
    assert_eq!(tries(s, || Own::Lock(LockError::NotInTransaction)), 1);
}

/// P05, P06.
#[test]
fn an_error_type_that_has_no_source_says_by_itself_what_to_retry() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (told, expected) in [(false, 1), (true, 3)] {
        let transaction = quick().retry_when(move |error| match error.downcast_ref() {
            Some(Silent::Lock(error)) => told && error.is_retryable(),
            _ => false,
        });
        let mut tries = 0;
        let error = run(&mut session, transaction, |_| {
            tries += 1;
            Err::<(), _>(Silent::from(moved()))
        });
        assert!(error.is_err());
        assert_eq!(tries, expected);
    }
}

/// P06.
#[test]
fn what_is_not_to_be_retried_comes_back_unchanged_and_nothing_is_kept() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut tries = 0;
    let error = run(&mut session, quick(), |conn| {
        tries += 1;
        let balance = lock(conn, &[3])?[0].balance;
        touch(conn, 3)?;
        Err::<(), _>(Own::TooPoor(balance))
    });
    assert!(matches!(error, Err(Own::TooPoor(5))), "{error:?}");
    assert_eq!((tries, arena.number("SELECT v FROM accounts WHERE id = 3")), (1, 0));
    arena.assert_held("accounts", "id", &[""; 0]);
}

/// P06.
#[test]
fn giving_up_reaches_the_application_as_its_own_error_with_the_last_one_beneath() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let error = run(&mut session, quick(), |_| Err::<(), _>(Deep(moved().into()))).unwrap_err();
    let Deep(Own::Lock(LockError::RetriesExhausted { tries: 3, source, .. })) = error else { panic!("{error:?}") };
    let last: &Deep = source.downcast_ref().unwrap();
    assert!(matches!(last.0, Own::Lock(LockError::LimitedRowsChanged { .. })), "{last:?}");
}
