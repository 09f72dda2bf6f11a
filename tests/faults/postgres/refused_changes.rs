//! A claim whose change a trigger refuses says so.

use diesel::{PgConnection, prelude::*};
use diesel_lockset::{LockError, Lockable, PickDsl};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

diesel::table! {
    tasks (id) {
        id -> Integer,
        state -> Text,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = tasks)]
struct Task {
    id: i32,
    state: String,
}

/// The trigger refuses to change the rows of which this is true.
fn arena(refused: &str) -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "CREATE TABLE tasks (id int PRIMARY KEY, state text NOT NULL);
         INSERT INTO tasks SELECT i, 'new' FROM generate_series(1, 4) AS i;
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN IF {refused} THEN RETURN NULL; END IF; RETURN NEW; END$$;
         CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
    arena
}

type Claim = fn(i64, &mut PgConnection) -> Result<Vec<i32>, LockError>;

fn ids(claimed: Vec<Task>) -> Vec<i32> {
    claimed.iter().map(|task| task.id).collect()
}

fn at_once(n: i64, conn: &mut PgConnection) -> Result<Vec<i32>, LockError> {
    let new = tasks::table.filter(tasks::state.eq("new")).order(tasks::id);
    new.claim(n.try_into().unwrap(), tasks::state.eq("taken"), conn).map(ids)
}

fn in_steps(n: i64, conn: &mut PgConnection) -> Result<Vec<i32>, LockError> {
    let others = diesel::alias!(tasks as others);
    let new = others.filter(others.field(tasks::state).eq("new")).select(others.field(tasks::id));
    let query = tasks::table.filter(tasks::id.eq_any(new)).order(tasks::id);
    query.claim(n.try_into().unwrap(), tasks::state.eq("taken"), conn).map(ids)
}

const WAYS: [(&str, Claim); 2] = [("at once", at_once), ("in steps", in_steps)];

/// F8.
#[test]
fn a_claim_whose_change_is_refused_is_an_error_and_the_transaction_goes_on() {
    for (way, claim) in WAYS {
        for (refused, n) in [("OLD.id = 1", 1), ("OLD.id < 3", 2), ("true", 4), ("true", 101)] {
            let arena = arena(refused);
            let mut session = Blocking::connect(arena.url());
            session.begin().unwrap();
            let error = claim(n, session.conn()).unwrap_err();
            assert!(matches!(error, LockError::Unsupported { .. }), "{way}: {error:?}");
            assert!(error.to_string().contains("trigger"), "{error}");
            assert!(!error.is_retryable());
            assert_eq!(session.execute("SELECT 1").unwrap(), 1, "{way}: the transaction goes on");
            session.rollback().unwrap();
            let open: Vec<i32> =
                tasks::table.filter(tasks::state.eq("new")).select(tasks::id).load(session.conn()).unwrap();
            assert_eq!(open.len(), 4);
        }
    }
}

/// F8.
#[test]
fn the_rows_that_a_trigger_lets_be_changed_are_claimed() {
    for (way, claim) in WAYS {
        for (refused, n, claimed) in [("OLD.id = 1", 3, vec![2, 3]), ("OLD.id = 2", 2, vec![1])] {
            let arena = arena(refused);
            let mut session = Blocking::connect(arena.url());
            assert_eq!(claim(n, session.conn()).unwrap(), claimed, "{way}, {refused}");
            let taken: Vec<i32> = tasks::table
                .filter(tasks::state.eq("taken"))
                .select(tasks::id)
                .order(tasks::id)
                .load(session.conn())
                .unwrap();
            assert_eq!(taken, claimed, "{way}, {refused}");
        }
    }
}

/// F8.
#[test]
fn a_claim_that_no_trigger_refuses_is_none_and_one_of_nothing_is_empty() {
    for (way, claim) in WAYS {
        let arena = arena("OLD.id = 4");
        let mut session = Blocking::connect(arena.url());
        assert_eq!(claim(3, session.conn()).unwrap(), [1, 2, 3], "{way}");
        assert!(claim(1, session.conn()).is_err(), "{way}");
        arena.execute(
            "UPDATE tasks SET state = 'old'; ALTER TABLE tasks DISABLE TRIGGER refuse; UPDATE tasks SET state = 'old'",
        );
        assert!(claim(1, session.conn()).unwrap().is_empty(), "{way}");
        assert!(claim(3, session.conn()).unwrap().is_empty(), "{way}");
    }
}
