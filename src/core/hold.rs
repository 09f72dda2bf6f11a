//! Advisory locks that are held around a closure.

use std::{convert::Infallible, panic::resume_unwind, thread};

use diesel::result::Error as DieselError;

use super::{
    advisory::{Span, Taken, release, take},
    catch::catch,
    driver::Driver,
    registry, trace,
    transaction::{Begun, begin, end},
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryBackend, CommitBy},
    error::LockError,
};

/// A lock that is held, and the transaction that was begun under it.
pub(crate) struct Hold {
    name: AdvisoryName,
    shared: bool,
    begun: Option<Begun>,
    release: Release,
    held: trace::Held,
}

/// The moment at which a lock is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    /// When the closure is done and its transaction has ended.
    AfterClosure,
    /// At the end of the outermost transaction, which the crate has begun; at once if the closure fails.
    AtOuterEnd,
    /// At the end of the outermost transaction, by the server.
    ByServer,
}

impl Hold {
    /// Takes a lock and begins a transaction, or a savepoint in the open one. Returns `None` if another session has the lock and it is
    /// not an error (`must`) that it does.
    ///
    /// In an open transaction the lock is held until that has ended: released before, it would let the next session in too early. Where
    /// the locks are the session's, the crate must have begun that transaction, or it would not see its end.
    pub(crate) async fn begin<M, D, E>(lock: &AdvisoryLock<M>, driver: &mut D, must: bool) -> Result<Option<Self>, E>
    where
        M: AdvisoryMode,
        D: Driver<DB: AdvisoryBackend>,
        E: From<LockError> + From<DieselError>,
    {
        let nested = driver.depth()?.is_some();
        if nested && D::DB::END_WITH_TRANSACTIONS {
            let begun = begin::<_, E>(driver, None).await?;
            let outcome = match catch(take(lock, Span::Transaction, driver, must)).await {
                Ok(Ok(Taken::Yes)) => return Ok(Some(Hold::new(lock, Some(begun), Release::ByServer, driver))),
                other => other.map(|taken| taken.map(|_| None).map_err(E::from)),
            };
            return end(driver, begun, outcome).await;
        }
        if nested && !registry::is_ours(driver) {
            return Err(LockError::end_unknown().into());
        }
        if take(lock, Span::Session, driver, must).await? == Taken::No {
            return Ok(None);
        }
        let release = if nested { Release::AtOuterEnd } else { Release::AfterClosure };
        Self::begin_under(lock, driver, release).await.map(Some)
    }

    /// Takes a lock for as long as the closure runs, which has a savepoint in an open transaction and else no transaction.
    pub(crate) async fn begin_session<M, D, E>(lock: &AdvisoryLock<M>, driver: &mut D) -> Result<Self, E>
    where
        M: AdvisoryMode,
        D: Driver<DB: AdvisoryBackend>,
        E: From<LockError> + From<DieselError>,
    {
        let nested = driver.depth()?.is_some();
        take(lock, Span::Session, driver, true).await?;
        if nested {
            return Self::begin_under(lock, driver, Release::AfterClosure).await;
        }
        Ok(Hold::new(lock, None, Release::AfterClosure, driver))
    }

    async fn begin_under<M, D, E>(lock: &AdvisoryLock<M>, driver: &mut D, release: Release) -> Result<Self, E>
    where
        M: AdvisoryMode,
        D: Driver<DB: AdvisoryBackend>,
        E: From<LockError> + From<DieselError>,
    {
        let held = Hold::new(lock, None, release, driver);
        let failed: thread::Result<Result<Infallible, E>> = match catch(begin::<_, E>(driver, None)).await {
            Ok(Ok(begun)) => return Ok(Hold { begun: Some(begun), ..held }),
            Ok(Err(error)) => Ok(Err(error)),
            Err(panic) => Err(panic),
        };
        match held.end(driver, failed).await? {}
    }

    fn new<M, D>(lock: &AdvisoryLock<M>, begun: Option<Begun>, release: Release, driver: &mut D) -> Self
    where
        M: AdvisoryMode,
        D: Driver,
    {
        Hold { name: lock.name().clone(), shared: M::SHARED, begun, release, held: trace::Held::now(driver) }
    }

    /// Ends the transaction as its closure ended, and releases the lock, or has it released later.
    pub(crate) async fn end<D, R, E>(self, driver: &mut D, outcome: thread::Result<Result<R, E>>) -> Result<R, E>
    where
        D: Driver<DB: AdvisoryBackend>,
        E: From<LockError> + From<DieselError>,
    {
        // What a transaction of its own did is committed, by the session that had the lock.
        let committed = self.begun.as_ref().is_some_and(|begun| !begun.is_nested());
        let (mut unlocks, mut lost) = (false, false);
        let outcome = match self.begun {
            Some(mut begun) => {
                if self.release == Release::AfterClosure {
                    let name = self.name.in_all_forms();
                    let text = || D::DB::commit_and_unlock(name, self.shared).map(CommitBy::Text);
                    unlocks = begun.commit_by(driver, text);
                }
                catch(end(driver, begun, outcome)).await
            }
            None => outcome,
        };
        match self.release {
            Release::ByServer => {}
            Release::AtOuterEnd if matches!(outcome, Ok(Ok(_))) => registry::release_at_the_end(driver, &self.name),
            Release::AtOuterEnd | Release::AfterClosure => {
                // Whatever has kept the commit from being made has kept the lock from being released with it. If the release
                // fails, the session is ended, and the lock with it.
                if !(unlocks && matches!(outcome, Ok(Ok(_)))) {
                    lost = !release(&self.name, self.shared, driver).await && !committed;
                }
                self.held.end(driver, "the release of an advisory lock");
            }
        }
        match outcome {
            Ok(Ok(_)) if lost => Err(LockError::AdvisoryLockLost { name: self.name.text().to_owned() }.into()),
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        }
    }
}
