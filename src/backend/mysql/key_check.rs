//! Checks that the rows of a table can be locked by the key that the model names.
//!
//! A table of an engine without transactions returns its rows and locks none. `FORCE INDEX (PRIMARY)` with keys that are not the primary
//! key, or only a part of it, or its columns in another order, reads and locks the whole table. A locking statement cannot detect this
//! without being slower. So the server is asked once for each table in each session, and a variable of the session remembers the result.
//! The variable lasts as long as the connection, and no pool and no other database shares it. Every statement that locks by key has a
//! condition without columns that fails, before a row is read, unless the variable says that the table was checked in this database.
//!
//! Tried instead: a limit for the rows that a statement may examine (`max_join_size`). It goes by estimates, and MariaDB refused look-ups
//! by primary key.

use std::{
    any::TypeId,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::{Error as DieselError, QueryResult},
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use super::fragments::keep_out_of_cache;
use crate::{
    backend::{Response, RowSink, Step},
    diesel_internals::{RowRef, Statement, sql_of},
    error::{LockError, LockObstacle, Result},
    sql::{Cache, KeyOf, ModelText, TableName},
};

static NAMES: Cache<TypeId, Arc<Names>> = Cache::new();

/// The check of a table: the key that a model names, and the server's answer.
#[derive(Debug)]
pub(super) struct KeyCheck {
    names: Arc<Names>,
    answer: Answer,
    /// The number of times that the server was asked.
    asks: u8,
}

/// The table, the key, and the session variable that remembers the check. All calls use the same values, so they are cached by model.
#[derive(Debug)]
struct Names {
    table: TableName,
    key: Vec<String>,
    variable: String,
}

/// The server's answer: the engine of the table, whether it has transactions, and the primary key.
#[derive(Debug, Default)]
struct Answer {
    engine: Option<String>,
    transactions: bool,
    primary_key: Option<String>,
}

impl KeyCheck {
    pub(super) fn of(table: &TableName, text: &dyn ModelText<Mysql>) -> QueryResult<Self> {
        let names = NAMES.get_or_make(text.static_id(), || {
            QueryResult::Ok(Arc::new(Names::of(table, &sql_of::<Mysql>(&KeyOf(text))?)))
        })?;
        Ok(KeyCheck { names, answer: Answer::default(), asks: 0 })
    }

    /// Writes the condition that fails unless the table was checked. `~0` is the largest number there is, so adding 1 to it overflows.
    pub(super) fn walk_condition(&self, pass: &mut AstPass<'_, '_, Mysql>) -> QueryResult<()> {
        pass.push_sql("~0 + ((@");
        pass.push_identifier(&self.names.variable)?;
        pass.push_sql(" <=> COALESCE(DATABASE(), '')) = 0)");
        Ok(())
    }

    /// Returns whether an error comes from the condition and the server was not asked yet.
    pub(super) fn must_ask(&self, error: &LockError) -> bool {
        let LockError::Query(DieselError::DatabaseError(_, info)) = error else { return false };
        self.asks == 0 && info.message().contains(&self.names.variable)
    }

    /// Returns whether the server was asked in this call.
    pub(super) fn has_asked(&self) -> bool {
        self.asks > 0
    }

    /// Returns the step that asks the server about the table.
    pub(super) fn ask(&mut self) -> Step<'_, Mysql> {
        self.asks += 1;
        let question = Question(&self.names.table);
        Step::new(Statement::new(question), AnswerReader(&mut self.answer))
    }

    /// Returns the step that has the session remember the check.
    pub(super) fn remember(&self) -> Step<'_, Mysql> {
        let statement = Statement::new(Remember { variable: &self.names.variable });
        Step { statement, answer: Response::Nothing }
    }

    /// Refuses the table if the server's answer says that its rows cannot be locked. Returns `false` if the server is to be asked once
    /// more: MariaDB answers a statement that is cancelled on its way as if parts of it had found no row.
    ///
    /// The server gives no answer for a temporary table, which is not refused. No other session sees its rows.
    pub(super) fn judge(&mut self) -> Result<bool> {
        match self.judge_answer() {
            Ok(()) => Ok(true),
            Err(_) if self.asks < 2 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn judge_answer(&mut self) -> Result<()> {
        let Answer { engine, transactions, primary_key } = std::mem::take(&mut self.answer);
        let key = &self.names.key;
        let not_lockable = |reason| {
            Err(LockError::NotLockable {
                table: self.names.table.quoted().to_owned(),
                rows: vec![],
                reason,
                source: None,
            })
        };
        let Some(engine) = engine else { return Ok(()) };
        if !transactions {
            return not_lockable(LockObstacle::Engine(engine));
        }
        let Some(primary_key) = primary_key else { return not_lockable(LockObstacle::NoPrimaryKey) };
        let same = |(one, other): (&String, &str)| one.to_lowercase() == other.to_lowercase();
        let columns: Vec<&str> = primary_key.split(SEPARATOR).collect();
        if columns.len() == key.len() && key.iter().zip(columns.iter().copied()).all(same) {
            return Ok(());
        }
        not_lockable(LockObstacle::OtherPrimaryKey(columns.join(", ")))
    }
}

impl Names {
    fn of(table: &TableName, key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (table.quoted(), key).hash(&mut hasher);
        let variable = format!("diesel_lockset_{:016x}", hasher.finish());
        Names { table: table.clone(), key: columns(key), variable }
    }
}

/// Splits the text of a key into bare column names: `a` and `b` for `` `t`.`a`, `t`.`b` ``.
fn columns(key: &str) -> Vec<String> {
    key.split(", ")
        .map(|column| column.rsplit("`.`").next().unwrap_or(column).trim_matches('`').replace("``", "`"))
        .collect()
}

/// The separator between the columns of the primary key in the answer. No name has this character.
const SEPARATOR: char = '\n';

/// Asks for the engine of a table, whether it has transactions, and the columns of the primary key.
///
/// ```sql
/// SELECT ENGINE,
///   (SELECT TRANSACTIONS = 'YES' FROM information_schema.ENGINES ..),
///   (SELECT GROUP_CONCAT(COLUMN_NAME ..) FROM information_schema.STATISTICS ..
///     AND INDEX_NAME = 'PRIMARY')
/// FROM information_schema.TABLES WHERE ..
/// ```
struct Question<'q>(&'q TableName);

impl QueryFragment<Mysql> for Question<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(
            "SELECT `t`.`ENGINE`, (SELECT `e`.`TRANSACTIONS` = 'YES' FROM `information_schema`.`ENGINES` AS `e` \
             WHERE `e`.`ENGINE` = `t`.`ENGINE`), (SELECT GROUP_CONCAT(`s`.`COLUMN_NAME` ORDER BY `s`.`SEQ_IN_INDEX` \
             SEPARATOR '\\n') FROM `information_schema`.`STATISTICS` AS `s` WHERE `s`.`INDEX_NAME` = 'PRIMARY' AND ",
        );
        self.walk_place("`s`", &mut pass)?;
        // MariaDB lists temporary tables from 11.2 on, but not their indexes.
        pass.push_sql(") FROM `information_schema`.`TABLES` AS `t` WHERE `t`.`TABLE_TYPE` <> 'TEMPORARY' AND ");
        self.walk_place("`t`", &mut pass)?;
        pass.push_sql(" LIMIT 1");
        Ok(())
    }
}

impl Question<'_> {
    fn walk_place<'b>(&'b self, of: &str, pass: &mut AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(of);
        pass.push_sql(".`TABLE_SCHEMA` = ");
        match self.0.schema() {
            Some(schema) => pass.push_bind_param::<Text, str>(schema)?,
            None => pass.push_sql("DATABASE()"),
        }
        pass.push_sql(" AND ");
        pass.push_sql(of);
        pass.push_sql(".`TABLE_NAME` = ");
        pass.push_bind_param::<Text, str>(self.0.bare())
    }
}

struct AnswerReader<'e>(&'e mut Answer);

impl RowSink<Mysql> for AnswerReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Mysql>) -> deserialize::Result<()> {
        self.0.engine = row.get_value::<Nullable<Text>, Option<String>, _>(0)?;
        self.0.transactions = row.get_value::<Nullable<BigInt>, Option<i64>, _>(1)? == Some(1);
        self.0.primary_key = row.get_value::<Nullable<Text>, Option<String>, _>(2)?;
        Ok(())
    }
}

/// Sets the session variable to the current database: `SET @.. = COALESCE(DATABASE(), '')`
///
/// It is not cached: in a prepared statement `DATABASE()` is the database in which it was prepared.
struct Remember<'q> {
    variable: &'q str,
}

impl QueryFragment<Mysql> for Remember<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql("SET @");
        pass.push_identifier(self.variable)?;
        pass.push_sql(" = COALESCE(DATABASE(), '')");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn the_columns_of_a_key_are_told_by_their_bare_names() {
        assert_eq!(columns("`t`.`id`"), ["id"]);
        assert_eq!(columns("`db`.`t`.`a`, `db`.`t`.`odd``name`"), ["a", "odd`name"]);
    }
}
