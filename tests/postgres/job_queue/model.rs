//! A task, with the columns that queues have.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    prelude::*,
    serialize::{self, IsNull, Output, ToSql},
};
use diesel_lockset::Lockable;
use serde_json::Value;
use uuid::Uuid;

/// The type of the server's.
#[derive(Debug, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "task_state"))]
#[allow(unreachable_pub, reason = "the columns are public, and this is their type")]
pub struct TaskStateType;

diesel::table! {
    use super::TaskStateType;
    use diesel::sql_types::{Integer, Jsonb, Nullable, Text, Timestamptz, Uuid};

    tasks (id) {
        id -> Uuid,
        kind -> Text,
        state -> TaskStateType,
        metadata -> Jsonb,
        attempts -> Integer,
        scheduled_at -> Timestamptz,
        lease_until -> Nullable<Timestamptz>,
        error -> Nullable<Text>,
    }
}

pub(super) const SCHEMA: &str = "
    CREATE TYPE task_state AS ENUM ('new', 'running', 'retried', 'finished', 'failed');
    CREATE TABLE tasks (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), kind text NOT NULL, state task_state NOT NULL DEFAULT 'new',
        metadata jsonb NOT NULL, attempts integer NOT NULL DEFAULT 0, scheduled_at timestamptz NOT NULL DEFAULT now(),
        lease_until timestamptz, error text)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = TaskStateType)]
pub(super) enum TaskState {
    New,
    Running,
    Retried,
    Finished,
    Failed,
}

const STATES: [(TaskState, &[u8]); 5] = [
    (TaskState::New, b"new"),
    (TaskState::Running, b"running"),
    (TaskState::Retried, b"retried"),
    (TaskState::Finished, b"finished"),
    (TaskState::Failed, b"failed"),
];

impl ToSql<TaskStateType, Pg> for TaskState {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let text = STATES.iter().find(|(state, _)| state == self).map(|(_, text)| *text);
        out.write_all(text.ok_or("a state without a text")?)?;
        Ok(IsNull::No)
    }
}

impl FromSql<TaskStateType, Pg> for TaskState {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let state = STATES.iter().find(|(_, text)| *text == value.as_bytes()).map(|(state, _)| *state);
        Ok(state.ok_or("an unknown state")?)
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
pub(super) struct Task {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) state: TaskState,
    pub(super) metadata: Value,
    pub(super) attempts: i32,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) lease_until: Option<DateTime<Utc>>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = tasks)]
pub(super) struct NewTask {
    pub(super) kind: String,
    pub(super) metadata: Value,
    pub(super) scheduled_at: Option<DateTime<Utc>>,
}
