//! MySQL and MariaDB.

use diesel::{MysqlConnection as Conn, dsl::sql, prelude::*, sql_types::Text};

use crate::{
    count::{Countable, Verb},
    shared::{DatabaseOn, Result},
};

#[path = "verbs/mod.rs"]
mod verbs;

impl Countable for Conn {
    const PORT: u16 = 3306;
    const PARAMETERS: &'static [(&'static str, &'static str)] = &[];

    const READ_COMMITTED: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

    fn make_tables(&mut self) -> Result<()> {
        verbs::tables::make(self)
    }

    fn server(&mut self) -> Result<(&'static str, String)> {
        let version: String = diesel::select(sql::<Text>("version()")).get_result(self)?;
        Ok((if version.contains("MariaDB") { "mariadb" } else { "mysql" }, version))
    }

    fn verbs() -> Vec<Verb<Self>> {
        verbs::all()
    }

    fn while_others_hold<R>(database: &DatabaseOn<Self>, work: impl FnOnce() -> Result<R>) -> Result<R> {
        verbs::tables::while_held(database, work)
    }
}
