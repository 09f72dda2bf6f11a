//! `RunLockTransaction`.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
};

use diesel::result::Error as DieselError;
use diesel_lockset::{
    LockError,
    nonblocking::{self, LockConnection},
};

use crate::support::nonblocking::block_on;

pub(crate) trait RunLockTransaction: nonblocking::RunLockTransaction + Sized {
    fn run<Conn, R, E>(self, conn: &mut Conn, f: impl FnMut(&mut Conn) -> Result<R, E> + Send) -> Result<R, E>
    where
        Conn: LockConnection,
        R: Send,
        E: Error + From<LockError> + From<DieselError> + Send + Sync + 'static,
    {
        // The closure of a try is a clone: all of them share what the closure of the test has captured.
        let f = &Mutex::new(f);
        let each = async move |conn: &mut Conn| (f.lock().unwrap_or_else(PoisonError::into_inner))(conn);
        block_on(nonblocking::RunLockTransaction::run(self, conn, each))
    }
}

impl<T: nonblocking::RunLockTransaction> RunLockTransaction for T {}
