//! PostgreSQL, and the verbs that only it has.

use diesel::{PgConnection as Conn, dsl::sql, prelude::*, sql_types::Text};
use diesel_lockset::prelude::*;

use crate::{
    count::{Countable, Verb},
    shared::{DatabaseOn, Result},
};

#[path = "verbs/mod.rs"]
pub(crate) mod verbs;

use self::verbs::tables::Account;

impl Countable for Conn {
    const PORT: u16 = 5432;
    const PARAMETERS: &'static [(&'static str, &'static str)] = &[("sslmode", "disable"), ("gssencmode", "disable")];

    const READ_COMMITTED: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

    fn make_tables(&mut self) -> Result<()> {
        verbs::tables::make(self)
    }

    fn server(&mut self) -> Result<(&'static str, String)> {
        Ok(("postgres", diesel::select(sql::<Text>("current_setting('server_version')")).get_result(self)?))
    }

    fn verbs() -> Vec<Verb<Self>> {
        let inside = |name, rows, call| Verb { name, in_transaction: true, rows, call };
        let mut verbs = verbs::all();
        verbs.extend([
            inside("advisory: acquire_for_transaction", 1, |conn| {
                Ok(AdvisoryLock::named("free").acquire_for_transaction(conn).map(|()| 1)?)
            }),
            inside("set, 2 keys and an advisory lock", 2, |conn| {
                let set = LockSet::new().advisory(AdvisoryLock::named("free")).ids::<Account>([2, 1]);
                Ok(set.lock(conn)?.rows::<Account>().len())
            }),
        ]);
        verbs
    }

    fn while_others_hold<R>(database: &DatabaseOn<Self>, work: impl FnOnce() -> Result<R>) -> Result<R> {
        verbs::tables::while_held(database, work)
    }
}
