//! What a pick refuses, before anything is sent.

use diesel::prelude::*;
use diesel_lockset::LockError;

use super::{Arena, Driver, new_mail, verbs::PickDsl};
use crate::support::{driver::Session, models::Job, schema::jobs};

#[test]
fn a_pick_outside_a_transaction_is_refused_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let refused = new_mail().pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    let refused = new_mail().pick::<Job>(0, session.conn());
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert_eq!(sent.take(), [""; 0]);
}

/// I16.
#[test]
fn queries_whose_rows_are_not_rows_of_a_table_are_refused_with_the_reason() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let conn = session.conn();
    let distinct = jobs::table.distinct().into_boxed().pick_next::<Job>(conn);
    let claimed = new_mail().into_boxed().distinct().claim::<Job, _>(1, jobs::status.eq("TAKEN"), conn);
    for refused in [distinct.map(|_| ()), claimed.map(|_| ())] {
        let Err(LockError::Unsupported { clause, .. }) = refused else { panic!("{refused:?}") };
        assert!(clause.contains("DISTINCT"), "{clause}");
    }
    let limited = new_mail().limit(3).pick::<Job>(5, conn);
    let offset = new_mail().into_boxed().offset(1).pick_next::<Job>(conn).map(Vec::from_iter);
    let claimed = new_mail().limit(3).claim::<Job, _>(1, jobs::status.eq("TAKEN"), conn);
    for refused in [limited, offset, claimed] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("LIMIT or OFFSET") && said.contains("pick(n, conn)"), "{said}");
    }
    super::super::assert_nothing_sent(&sent.take());
    session.execute("SELECT 1").unwrap();
}
