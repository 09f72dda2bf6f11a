use diesel::{PgConnection, result::Error};
use diesel_lockset::{LockError, LockTransaction, RunLockTransaction};

struct Failed(String);

impl From<LockError> for Failed {
    fn from(error: LockError) -> Self {
        Failed(error.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed(error.to_string())
    }
}

fn move_money(conn: &mut PgConnection) -> Result<(), Failed> {
    LockTransaction::new().run(conn, |_| Err::<(), Failed>(Failed("too poor".to_owned())))
}

fn main() {}
