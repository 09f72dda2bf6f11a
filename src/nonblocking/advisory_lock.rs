//! Takes and releases advisory locks over a connection of `diesel-async`.

use std::future::Future;

use diesel::result::Error as DieselError;

use super::{
    advisory::{AdvisoryConnection, Outcome, RunAdvisoryLock},
    advisory_guard::{AdvisoryGuard, OwnedAdvisoryGuard},
    catch::catch,
    closure::{AsyncClosure, ClosureFuture},
    driver::Nonblocking,
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode},
    core::{self, Hold, Span, Taken, contended},
    error::{Holder, LockError, Result},
    markers::Transactional,
};

impl<M: AdvisoryMode> RunAdvisoryLock<M> for AdvisoryLock<M> {
    fn hold<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a,
    {
        Box::pin(async move {
            let mut driver = Nonblocking::new(conn);
            let outcome = core::catch(async {
                let Some(hold) = Hold::begin::<_, _, E>(&self, &mut driver, true).await? else {
                    return Err(contended(self.name()).into());
                };
                let outcome = catch(f(driver.conn())).await;
                hold.end(&mut driver, outcome).await
            })
            .await;
            driver.done(outcome)
        })
    }

    fn try_hold<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<Option<R>, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a,
    {
        Box::pin(async move {
            let mut driver = Nonblocking::new(conn);
            let outcome = core::catch(async {
                let Some(hold) = Hold::begin::<_, _, E>(&self, &mut driver, false).await? else { return Ok(None) };
                let outcome = catch(f(driver.conn())).await;
                hold.end(&mut driver, outcome).await.map(Some)
            })
            .await;
            driver.done(outcome)
        })
    }

    fn hold_session<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a,
    {
        Box::pin(async move {
            let mut driver = Nonblocking::new(conn);
            let outcome = core::catch(async {
                let hold = Hold::begin_session::<_, _, E>(&self, &mut driver).await?;
                let outcome = catch(f(driver.conn())).await;
                hold.end(&mut driver, outcome).await
            })
            .await;
            driver.done(outcome)
        })
    }

    async fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: AdvisoryConnection<M>,
    {
        take(&self, Span::Session, conn, true).await?;
        Ok(AdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    async fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: AdvisoryConnection<M>,
    {
        let taken = take(&self, Span::Session, conn, false).await? == Taken::Yes;
        Ok(taken.then(|| AdvisoryGuard::new::<M>(conn, self.name().clone())))
    }

    async fn acquire_owned<Conn>(self, mut conn: Conn) -> Result<OwnedAdvisoryGuard<Conn>>
    where
        Conn: AdvisoryConnection<M>,
    {
        take(&self, Span::Session, &mut conn, true).await?;
        Ok(OwnedAdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    async fn try_acquire_owned<Conn>(self, mut conn: Conn) -> Result<Option<OwnedAdvisoryGuard<Conn>>>
    where
        Conn: AdvisoryConnection<M>,
    {
        let taken = take(&self, Span::Session, &mut conn, false).await? == Taken::Yes;
        Ok(taken.then(|| OwnedAdvisoryGuard::new::<M>(conn, self.name().clone())))
    }

    async fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: AdvisoryConnection<M> + AdvisoryConnection<Transactional>,
    {
        take(&self, Span::Transaction, conn, true).await.map(drop)
    }

    async fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M> + AdvisoryConnection<Transactional>,
    {
        Ok(take(&self, Span::Transaction, conn, false).await? == Taken::Yes)
    }

    fn is_held<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<bool>> + Send
    where
        Conn: AdvisoryConnection<M>,
    {
        let name = self.name().clone();
        async move {
            let mut driver = Nonblocking::new(conn);
            let held = catch(core::is_held::<M, _>(&name, &mut driver)).await;
            driver.done(held)
        }
    }

    fn holders<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<Vec<Holder>>> + Send
    where
        Conn: AdvisoryConnection<M>,
    {
        let name = self.name().clone();
        async move {
            let mut driver = Nonblocking::new(conn);
            let holders = catch(core::holders_of(&mut driver, &name)).await;
            driver.done(holders)
        }
    }
}

async fn take<M, Conn>(lock: &AdvisoryLock<M>, span: Span, conn: &mut Conn, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    Conn: AdvisoryConnection<M>,
{
    let mut driver = Nonblocking::new(conn);
    let taken = catch(core::take(lock, span, &mut driver, must)).await;
    driver.done(taken)
}
