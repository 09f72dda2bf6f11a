//! What a set costs: one statement for each table, and not one more unless a row changed that a query had chosen.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    stale::{account, accounts, event, job, seat, summary, tag},
};
use crate::{
    isolation::{Actor, Play},
    support::{
        driver::Session,
        models::{Account, AccountSummary, Job, Order, Seat},
        schema::{accounts, customers, jobs, order_items, orders, seats},
    },
};

type Set = LockSet<'static, <Driver as Session>::Backend>;
type Form = (&'static str, fn() -> Set);

/// Everything that a set can want of one table.
const ONE_TABLE: [Form; 24] = [
    ("an instance", || LockSet::new().row(&account(1))),
    ("instances", || LockSet::new().rows(&accounts([5, 3, 1]))),
    ("keys", || LockSet::new().ids::<Account>([3, 3, 1, 1])),
    ("instances and keys", || LockSet::new().row(&account(1)).ids::<Account>([2, 3]).for_share().row(&account(2))),
    ("a table", || LockSet::new().query::<Account>(accounts::table)),
    ("a query", || LockSet::new().query::<Job>(new_jobs())),
    ("a query that finds nothing", || LockSet::new().query::<Job>(new_jobs().filter(jobs::id.gt(99)))),
    ("a boxed query", || LockSet::new().query::<Job>(new_jobs().into_boxed())),
    ("an ordered query", || LockSet::new().query::<Job>(new_jobs().order(jobs::priority.desc()))),
    ("a limited query", || LockSet::new().query::<Job>(new_jobs().order(jobs::priority).limit(2))),
    ("a limited query that finds too few", || LockSet::new().query::<Job>(new_jobs().limit(99))),
    ("a limited query that finds nothing", || LockSet::new().query::<Job>(new_jobs().filter(jobs::id.gt(99)).limit(2))),
    ("limited queries that find nothing", || {
        let none = || jobs::table.filter(jobs::id.gt(99)).limit(2);
        LockSet::new().query::<Job>(none()).query::<Job>(none().order(jobs::priority).distinct())
    }),
    ("a query with an offset", || {
        LockSet::new().query::<Job>(new_jobs().order(jobs::id).limit(1).offset(1).into_boxed())
    }),
    ("a distinct query", || LockSet::new().query::<Job>(new_jobs().distinct())),
    ("a joined query", || LockSet::new().query::<Order>(orders::table.inner_join(customers::table))),
    ("a join that repeats rows", || {
        LockSet::new().query::<Order>(orders::table.inner_join(order_items::table).distinct())
    }),
    ("a subquery", || {
        LockSet::new()
            .query::<Order>(orders::table.filter(orders::id.eq_any(order_items::table.select(order_items::order_id))))
    }),
    ("several queries", || {
        LockSet::new().query::<Job>(new_jobs()).query::<Job>(jobs::table.limit(1)).query::<Job>(jobs::table.distinct())
    }),
    ("instances and queries", || {
        LockSet::new().query::<Job>(new_jobs()).row(&job(2)).query::<Job>(jobs::table.limit(1)).row(&job(5))
    }),
    ("two models", || {
        LockSet::new().row(&account(1)).row(&summary(2)).query::<AccountSummary>(accounts::table.limit(2))
    }),
    ("composite keys", || LockSet::new().row(&seat("B", 1)).row(&seat("A", 1))),
    ("composite keys and queries", || {
        let free = seats::table.filter(seats::holder.is_null());
        LockSet::new().row(&seat("B", 1)).query::<Seat>(free.order(seats::number).limit(2)).query::<Seat>(free)
    }),
    ("a limited query for composite keys that finds nothing", || {
        LockSet::new().query::<Seat>(seats::table.filter(seats::number.gt(99)).limit(2))
    }),
];

#[diesel::dsl::auto_type]
fn new_jobs() -> _ {
    jobs::table.filter(jobs::status.eq("NEW"))
}

/// How many statements this set sends.
fn sends(s: &mut Driver, set: Set) -> Vec<String> {
    let sent = s.overhear();
    s.lock_set(set).unwrap();
    sent.take()
}

#[test]
fn an_empty_set_sends_nothing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(sends(&mut session, LockSet::new()), [""; 0]);
    let nobody = LockSet::new().rows(&accounts([])).ids::<Job>(Vec::<i64>::new()).for_share().allow_missing();
    assert!(nobody.is_empty());
    assert_eq!(sends(&mut session, nobody), [""; 0]);
    session.commit().unwrap();
}

#[test]
fn outside_a_transaction_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    for (form, set) in ONE_TABLE {
        let error = session.lock_set(set()).unwrap_err();
        assert!(matches!(error, LockError::NotInTransaction), "{form}: {error:?}");
    }
    assert_eq!(sent.take(), [""; 0]);
}

/// What depends on other rows is asked about once more when its own are held, at a level at which that tells: two statements more.
fn at_least(form: &str) -> usize {
    if ["a joined query", "a join that repeats rows", "a subquery"].contains(&form) { 3 } else { 1 }
}

#[test]
fn one_table_is_one_statement_in_every_form() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (form, set) in ONE_TABLE {
        session.begin().unwrap();
        let sent = sends(&mut session, set());
        assert_eq!(sent.len(), at_least(form), "{form}: {sent:#?}");
        session.rollback().unwrap();
    }
}

#[test]
fn not_waiting_costs_no_statement_more() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (form, set) in ONE_TABLE {
        session.begin().unwrap();
        let sent = session.overhear();
        session.lock_set(set().no_wait()).unwrap();
        assert_eq!(sent.take().len(), at_least(form), "no_wait: {form}");
        session.lock_set(set().skip_locked()).unwrap();
        assert_eq!(sent.take().len(), at_least(form), "skip_locked: {form}");
        session.rollback().unwrap();
    }
}

#[test]
fn several_tables_are_as_many_statements() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let two = LockSet::new().row(&job(1)).query::<Account>(accounts::table).row(&job(2));
    assert_eq!(sends(&mut session, two).len(), 2);
    let five = LockSet::new().row(&tag("apple")).row(&seat("A", 1)).row(&job(1)).row(&event(2, "north"));
    assert_eq!(sends(&mut session, five.row(&account(1)).query::<Job>(new_jobs().limit(1))).len(), 5);
    session.commit().unwrap();
}

#[test]
fn one_row_is_one_statement() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    session.begin().unwrap();
    sent.take();
    session.lock(&account(1)).unwrap();
    assert_eq!(sent.take().len(), 1);
    session.lock_by_id::<Account>(2).unwrap();
    assert_eq!(sent.take().len(), 1);
    session.commit().unwrap();
    sent.take();
    // Begin, lock, commit.
    session.with_lock(&account(1), |_, _| Ok::<_, LockError>(())).unwrap();
    assert_eq!(sent.take().len(), 3);
}

#[test]
fn the_text_is_the_same_for_two_keys_and_for_many() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let texts = [2, 3, 5_000, 1].map(|many| {
        let set = LockSet::new()
            .ids::<Account>(1..=many)
            .id::<Seat>(("A".to_owned(), 1))
            .ids::<Seat>((1..many).map(|number| ("Z".to_owned(), number)));
        let sent = sends(&mut session, set.allow_missing());
        // Of the rows that are missing something more is asked.
        let locking = sent.iter().filter(|statement| statement.contains(" FOR UPDATE"));
        locking.map(|statement| statement.split(" -- binds").next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    // One integer is compared by `=`.
    let one = texts[0].iter().map(|text| text.replace(" = ANY($1)", " = $1"));
    assert_eq!(texts[3], one.collect::<Vec<_>>());
    session.commit().unwrap();
}

#[test]
fn missing_rows_cost_a_look_for_each_table() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = LockSet::new().ids::<Account>([1, 99]).id::<Job>(77).allow_missing();
    assert_eq!(sends(&mut session, set).len(), 4);
    let none_is_missing = LockSet::new().ids::<Account>([1, 2]).allow_missing();
    assert_eq!(sends(&mut session, none_is_missing).len(), 1);
    session.commit().unwrap();
}

/// What the set of every form sends that has to wait for a transaction of `doing`, which then ends with `commit`.
fn sent_after(doing: &'static str, commit: bool) -> Vec<(&'static str, Vec<String>)> {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, locker): (Actor<Driver>, Actor<Driver>) = (play.session("holder"), play.session("locker"));
    let forms = ONE_TABLE.iter().filter(|(form, _)| !form.contains("nothing"));
    let sent = forms.map(|&(form, set)| {
        holder.run("holds", move |s| {
            s.begin().unwrap();
            for statement in doing.split(';') {
                s.execute(statement).unwrap();
            }
        });
        let waiting = locker.start(form, move |s| {
            s.begin().unwrap();
            let sent = sends(s, set());
            s.rollback().unwrap();
            sent
        });
        waiting.blocked_by(&holder);
        holder.run("ends", move |s| if commit { s.commit() } else { s.rollback() }).unwrap();
        (form, waiting.join())
    });
    sent.collect()
}

#[test]
fn waiting_for_somebody_who_only_locked_costs_no_statement() {
    let locks = "SELECT 1 FROM accounts FOR UPDATE; SELECT 1 FROM jobs FOR UPDATE; SELECT 1 FROM orders FOR UPDATE; \
                 SELECT 1 FROM seats FOR UPDATE";
    for (form, sent) in sent_after(locks, true) {
        assert_eq!(sent.len(), at_least(form), "{form}: {sent:#?}");
    }
}

#[test]
fn waiting_for_a_change_that_is_undone_costs_no_statement() {
    let changes = "UPDATE accounts SET v = 1; UPDATE jobs SET status = 'DONE'; UPDATE orders SET total = 1; \
                   DELETE FROM seats";
    for (form, sent) in sent_after(changes, false) {
        assert_eq!(sent.len(), at_least(form), "{form}: {sent:#?}");
    }
}

#[test]
fn a_changed_row_costs_a_second_look_only_where_a_query_chose_first() {
    let changes = "UPDATE accounts SET v = 1; UPDATE jobs SET payload = 'x'; UPDATE orders SET total = 1; \
                   UPDATE seats SET holder = NULL";
    let by_themselves = [
        "an instance",
        "instances",
        "keys",
        "instances and keys",
        "a table",
        "a query",
        "a boxed query",
        "an ordered query",
        "composite keys",
    ];
    for (form, sent) in sent_after(changes, true) {
        let expected = if by_themselves.contains(&form) { 1 } else { at_least(form).max(2) };
        assert_eq!(sent.len(), expected, "{form}: {sent:#?}");
    }
}
