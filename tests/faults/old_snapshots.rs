//! A query whose conditions are about more than the locked row is refused where no statement could ask it again: at levels at which a
//! transaction keeps its snapshot.
//!
//! Written once, for each kind of server: the parent module names the driver, and the levels.

use diesel::{
    dsl::{exists, not, sql},
    prelude::*,
    sql_types::{Bool, Integer},
};
use diesel_lockset::{
    Isolation, LockError, LockSet, LockTransaction, Lockable, PickDsl, RunLockSet, RunLockTransaction,
};

use super::{Arena, Driver, OF_SESSION, OLD_SNAPSHOTS};
use crate::support::{driver::Session, probe::Held};

diesel::table! {
    chores (id) {
        id -> Integer,
        status -> Text,
    }
}

diesel::table! {
    taken (chore_id) {
        chore_id -> Integer,
    }
}

diesel::joinable!(taken -> chores (chore_id));
diesel::allow_tables_to_appear_in_same_query!(chores, taken);

diesel::define_sql_function! {
    /// Nothing that the server has.
    fn passes(id: Integer) -> Bool;
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = chores)]
struct Chore {
    id: i32,
    status: String,
}

type Conn = <Driver as Session>::Conn;
type Ask = fn(&mut Conn) -> Result<Vec<Chore>, LockError>;

#[diesel::dsl::auto_type]
fn by_subquery() -> _ {
    chores::table.filter(not(exists(taken::table.filter(taken::chore_id.eq(chores::id))))).order(chores::id)
}

fn by_own_table() -> chores::BoxedQuery<'static, <Driver as Session>::Backend> {
    let others = diesel::alias!(chores as others);
    chores::table.filter(chores::id.eq_any(others.select(others.field(chores::id)))).order(chores::id).into_boxed()
}

#[diesel::dsl::auto_type]
fn by_join() -> _ {
    chores::table.inner_join(taken::table).order(chores::id)
}

#[diesel::dsl::auto_type]
fn by_raw_sql() -> _ {
    let all: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("chores.id IN (SELECT 1)");
    chores::table.filter(all).order(chores::id)
}

#[diesel::dsl::auto_type]
fn by_function() -> _ {
    chores::table.filter(passes(chores::id)).order(chores::id)
}

#[diesel::dsl::auto_type]
fn by_itself() -> _ {
    let status: &'static str = "new";
    chores::table.filter(chores::status.eq(status)).order(chores::id)
}

macro_rules! by_every_verb {
    ($($query:ident),*) => {
        [$(
            (concat!("set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Chore>($query()).lock(conn)?.take_rows())
            }),
            (concat!("limited set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().id::<Chore>(2).query::<Chore>($query().limit(1)).lock(conn)?.take_rows())
            }),
            (concat!("set that skips, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Chore>($query()).skip_locked().lock(conn)?.take_rows())
            }),
            (concat!("set that does not wait, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Chore>($query()).no_wait().lock(conn)?.take_rows())
            }),
            (concat!("pick, ", stringify!($query)), |conn| $query().pick(3, conn)),
            (concat!("claim, ", stringify!($query)), |conn| $query().claim(3, chores::status.eq("new"), conn)),
        )*]
    };
}

fn chores() -> Arena {
    let arena = Arena::new();
    arena.execute("CREATE TABLE chores (id int PRIMARY KEY, status varchar(9) NOT NULL)");
    arena.execute("CREATE TABLE taken (chore_id int PRIMARY KEY)");
    arena.execute("INSERT INTO chores VALUES (1, 'new'), (2, 'new')");
    arena
}

/// F01, F02, F04, F41.
#[test]
fn what_no_statement_can_ask_again_is_refused_before_a_row_is_touched() {
    let ways: [(&str, Ask); 30] = by_every_verb!(by_subquery, by_own_table, by_join, by_raw_sql, by_function);
    let arena = chores();
    for level in OLD_SNAPSHOTS {
        for (way, ask) in ways {
            let mut session = Driver::connect(arena.url());
            session.begin_as(level).unwrap();
            let refused = ask(session.conn());
            let Err(LockError::Unsupported { advice, .. }) = refused else { panic!("{level}, {way}: {refused:?}") };
            assert!(advice.contains("READ COMMITTED"), "{level}, {way}: {advice}");
            // No row is locked, and the transaction goes on.
            assert_eq!(arena.probe("chores", "id = 1"), Held::Free, "{level}, {way}");
            assert_eq!(session.number("SELECT count(*) FROM chores").unwrap(), 2, "{level}, {way}");
            session.rollback().unwrap();
        }
    }
}

/// F41.
#[test]
fn conditions_on_the_row_itself_are_answered_at_every_level() {
    let ways: [(&str, Ask); 6] = by_every_verb!(by_itself);
    let arena = chores();
    for level in ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"] {
        for (way, ask) in ways {
            let mut session = Driver::connect(arena.url());
            session.begin_as(level).unwrap();
            assert_eq!(ask(session.conn()).unwrap().len(), 2, "{level}, {way}");
            session.rollback().unwrap();
        }
    }
}

/// F41.
#[test]
fn a_transaction_that_is_begun_here_chooses_the_level() {
    let arena = chores();
    for level in OLD_SNAPSHOTS {
        let mut session = Driver::connect(arena.url());
        session.execute(&format!("SET SESSION {OF_SESSION} {level}")).unwrap();
        // A claim by itself is a transaction of the crate's.
        let claimed: Vec<Chore> = by_subquery().claim(3, chores::status.eq("new"), session.conn()).unwrap();
        assert_eq!(claimed.len(), 2, "{level}");
        let transaction = LockTransaction::new().isolation(Isolation::ReadCommitted);
        let picked: Result<Vec<Chore>, LockError> = transaction.run(session.conn(), |conn| by_subquery().pick(3, conn));
        assert_eq!(picked.unwrap().len(), 2, "{level}");
        // And nothing of it is left behind.
        let refused: Result<Vec<Chore>, LockError> =
            LockTransaction::new().run(session.conn(), |conn| by_subquery().pick(3, conn));
        assert!(matches!(refused, Err(LockError::Unsupported { .. })), "{level}: {refused:?}");
    }
}
