//! Transactions that a closure ends itself, and commits that are canceled.

use diesel::{MysqlConnection, RunQueryDsl as _, connection::SimpleConnection, sql_query};
use diesel_lockset::{AdvisoryLock, LockDsl, LockError, LockTransaction, RunAdvisoryLock, RunLockTransaction};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::Account,
    mysql::MysqlFamily,
};

type Arena = ServerArena<MysqlFamily>;

/// Statements by which a closure ends its transaction itself, and whether what it did before is kept.
const ENDS: [(&[&str], bool); 7] = [
    (&["COMMIT"], true),
    (&["ROLLBACK"], false),
    (&["COMMIT", "BEGIN"], true),
    (&["COMMIT; BEGIN"], true),
    (&["COMMIT AND CHAIN"], true),
    (&["CREATE TABLE by_the_way (id integer); DROP TABLE by_the_way"], true),
    (&["CALL commits()"], true),
];

#[test]
fn a_closure_that_ends_its_transaction_itself_is_told() {
    let arena = Arena::new();
    arena.execute("CREATE PROCEDURE commits() COMMIT");
    let ada = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
    for (statements, kept) in ENDS {
        let ends = |conn: &mut MysqlConnection| -> Result<(), LockError> {
            sql_query("UPDATE accounts SET v = 7 WHERE id = 1").execute(conn)?;
            statements.iter().try_for_each(|statement| conn.batch_execute(statement))?;
            sql_query("UPDATE accounts SET v = 8 WHERE id = 2").execute(conn)?;
            Ok(())
        };
        let calls: [(&str, &dyn Fn(&mut MysqlConnection) -> Result<(), LockError>); 4] = [
            ("LockTransaction", &|conn| LockTransaction::new().run(conn, ends)),
            ("with_lock", &|conn| ada.with_lock(conn, |_, conn| ends(conn))),
            ("hold", &|conn| AdvisoryLock::on(&ada).hold(conn, ends)),
            ("with_lock in a LockTransaction", &|conn| {
                LockTransaction::new().run(conn, |conn| ada.with_lock(conn, |_, conn| ends(conn)))
            }),
        ];
        for (name, call) in calls {
            arena.execute("UPDATE accounts SET v = 0");
            let mut session = MysqlBlocking::connect(arena.url());
            let error = call(session.conn()).expect_err(name);
            assert!(matches!(error, LockError::Aborted), "{name}: {statements:?}: {error:?}");
            let before = arena.number("SELECT v FROM accounts WHERE id = 1") == 7;
            let after = arena.number("SELECT v FROM accounts WHERE id = 2") == 8;
            assert_eq!((before, after), (kept, false), "{name}: {statements:?}");
            assert_eq!(session.number("SELECT @@autocommit"), Ok(1));
            LockTransaction::new().run(session.conn(), |_| Ok::<_, LockError>(())).unwrap();
        }
    }
}
