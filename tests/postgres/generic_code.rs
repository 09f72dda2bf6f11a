//! Code that is generic over connections, models and errors: it compiles without further notes, and works.

use diesel::{
    Connection, PgConnection,
    connection::LoadConnection,
    pg::Pg,
    prelude::*,
    r2d2::{ConnectionManager, Pool, PooledConnection},
    result::Error as DieselError,
};
use diesel_lockset::prelude::*;
use diesel_lockset::{LockConnection, LockTarget, Locked, bounds::RowQuery};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Pooled, Session},
    models::{Account, Job, Seat},
    schema::{accounts, jobs},
};

fn transfer<C: LockConnection<Backend = Pg>>(conn: &mut C, from: i32, to: i32, amount: i32) -> Result<i32, LockError> {
    conn.transaction(|conn| {
        let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
        let left = locked.id::<Account>(from)?.balance - amount;
        for (id, balance) in [(from, left), (to, locked.id::<Account>(to)?.balance + amount)] {
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn)?;
        }
        Ok(left)
    })
}

/// Generic over the model and, through the connection, the backend.
fn refreshed<C, T>(conn: &mut C, row: &T) -> Result<T, LockError>
where
    C: LockConnection,
    T: LockTarget<C::Backend>,
{
    conn.transaction(|conn| row.lock(conn))
}

/// Generic over the query, which comes from somewhere else.
fn all_of<'q, C, T, Q>(conn: &mut C, query: Q) -> Result<Locked, LockError>
where
    C: LockConnection,
    T: LockTarget<C::Backend>,
    Q: RowQuery<'q, T, C::Backend>,
{
    LockSet::new().query::<T>(query).lock(conn)
}

/// Bounds of Diesel alone are enough.
fn with_diesels_bounds<C>(conn: &mut C) -> Result<Vec<Job>, LockError>
where
    C: Connection<Backend = Pg> + LoadConnection,
{
    conn.transaction(|conn| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).into_boxed();
        new.for_no_key_update_of(jobs::table).skip_locked().load(conn)
    })
}

fn generic_code_works<S>()
where
    S: Session<Backend = Pg>,
    S::Conn: LockConnection<Backend = Pg>,
{
    let arena = Arena::new();
    let mut session = S::connect(arena.url());
    let conn = session.conn();
    assert_eq!(transfer(conn, 2, 1, 7).unwrap(), 13);
    assert_eq!(refreshed(conn, &Account { id: 1, owner: String::new(), balance: 0, v: 0 }).unwrap().balance, 17);
    let seat = refreshed(conn, &Seat { section: "B".into(), number: 2, holder: Some("x".into()) }).unwrap();
    assert_eq!(seat.holder, None);
    let locked = conn.transaction(|conn| all_of::<_, Job, _>(conn, jobs::table.filter(jobs::id.le(2)))).unwrap();
    assert_eq!(locked.rows::<Job>().len(), 2);
    assert_eq!(with_diesels_bounds(conn).unwrap().len(), 4);
}

/// R09.
#[test]
fn generic_functions_take_plain_and_pooled_connections() {
    generic_code_works::<Blocking>();
    generic_code_works::<Pooled>();
}

/// R09.
#[test]
fn a_connection_of_a_pool_is_used_as_it_comes() {
    let arena = Arena::new();
    let pool: Pool<ConnectionManager<PgConnection>> =
        Pool::builder().max_size(1).build(ConnectionManager::new(arena.url())).unwrap();
    let mut pooled: PooledConnection<ConnectionManager<PgConnection>> = pool.get().unwrap();
    assert_eq!(transfer(&mut pooled, 1, 2, 3).unwrap(), 7);

    let locked = pooled.transaction(|conn| {
        // What Diesel's closure hands out is the pooled connection again; a reborrow of its inside works as well.
        let account = Account::lock_by_id(1, conn)?;
        let inside: &mut PgConnection = conn;
        let other = Account::lock_by_id(2, inside)?;
        Ok::<_, LockError>((account.balance, other.balance))
    });
    assert_eq!(locked.unwrap(), (7, 23));
    drop(pooled);
    assert_eq!(transfer(&mut pool.get().unwrap(), 2, 1, 3).unwrap(), 20);
    assert!(arena.held_keys("accounts", "id").is_empty());
}

/// R09.
#[test]
fn closures_may_return_diesels_error() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let balance = conn.transaction(|conn| {
        let account = Account::lock_by_id(1, conn)?;
        let locked = LockSet::new().row(&account).lock(conn)?;
        let balance = locked.row(&account)?.balance;
        let jobs: Vec<Job> = jobs::table.for_update_of(jobs::table).load(conn)?;
        Ok::<_, DieselError>(balance + jobs.len() as i32)
    });
    assert_eq!(balance, Ok(15));

    let missing = conn.transaction(|conn| {
        let account = Account::lock_by_id(99, conn)?;
        Ok::<_, DieselError>(account)
    });
    let error = LockError::from(missing.unwrap_err());
    assert!(matches!(&error, LockError::Missing { rows } if rows[0].key().get() == Some(&99)), "{error:?}");

    let outside: Result<Account, DieselError> = Account::lock_by_id(1, &mut conn).map_err(DieselError::from);
    assert!(outside.unwrap_err().to_string().starts_with("no transaction is open"));

    let stale = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
    let found = stale.with_lock(&mut conn, |fresh, conn| {
        accounts::table.filter(accounts::balance.gt(fresh.balance)).count().get_result::<i64>(conn)
    });
    assert_eq!(found, Ok(2));
}

/// R09.
#[test]
fn closures_may_return_an_error_of_the_application() {
    #[derive(Debug)]
    enum Refused {
        TooPoor(i32),
        Locking(LockError),
    }

    impl From<LockError> for Refused {
        fn from(error: LockError) -> Self {
            Refused::Locking(error)
        }
    }

    impl From<DieselError> for Refused {
        fn from(error: DieselError) -> Self {
            Refused::Locking(error.into())
        }
    }

    let arena = Arena::new();
    let mut conn = arena.pg();
    let poor = Account { id: 5, owner: String::new(), balance: 1_000, v: 0 };
    let refused = poor.with_lock(&mut conn, |fresh, conn| {
        diesel::update(accounts::table.find(5)).set(accounts::v.eq(1)).execute(conn)?;
        if fresh.balance == 0 { Err(Refused::TooPoor(fresh.id)) } else { Ok(()) }
    });
    assert!(matches!(refused, Err(Refused::TooPoor(5))), "{refused:?}");
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 5"), 0);

    let gone = Account { id: 99, ..poor };
    let refused: Result<(), Refused> = gone.with_lock(&mut conn, |_, _| Ok(()));
    assert!(matches!(refused, Err(Refused::Locking(LockError::Missing { .. }))), "{refused:?}");

    let boxed: Result<(), Box<dyn std::error::Error + Send + Sync>> =
        gone.with_lock(&mut conn, |_, _| Err("not reached".into()));
    assert!(boxed.unwrap_err().to_string().starts_with("Account 99 does not exist"));
}
