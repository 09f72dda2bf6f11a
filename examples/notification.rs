//! One notification, ten threads that all want to send it, one mail.
//!
//! A mail is not in the database: no constraint keeps a second one from being sent, and no rollback takes one back. So the
//! method that sends is `#[advisory_locked]`: for each notification one caller at a time, on all hosts, and the next one looks
//! again whether there is anything left to do.
//!
//! Run it with `cargo run --features postgres --example notification`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example notification_on_mysql`; `cargo xtask test -- notification` runs both.

mod shared;

use std::sync::Mutex;

use diesel::{connection::SimpleConnection, dsl::now, prelude::*};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result};

diesel::table! {
    notifications (id) { id -> Integer, address -> Text, sent_at -> Nullable<Timestamp>, }
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = notifications)]
struct Notification {
    id: i32,
    address: String,
}

impl Notification {
    /// Sends it, unless it is sent: whether this call has done so.
    #[advisory_locked(timeout = "30s")]
    fn send(&self, conn: &mut Conn, post: &Post) -> Result<bool> {
        // Asked under the lock, not before it: what was loaded before the wait is as old as the wait.
        let unsent = notifications::table.find(self.id).filter(notifications::sent_at.is_null());
        if unsent.select(notifications::id).first::<i32>(conn).optional()?.is_none() {
            return Ok(false);
        }
        post.deliver(&self.address)?;
        diesel::update(notifications::table.find(self.id)).set(notifications::sent_at.eq(now)).execute(conn)?;
        Ok(true)
    }
}

/// The world outside of the database: it delivers what it is given, and cannot be rolled back.
#[derive(Debug, Default)]
struct Post {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    delivered: Vec<String>,
    /// How many deliveries will fail.
    strikes: usize,
}

impl Post {
    fn deliver(&self, address: &str) -> Result<()> {
        let mut state = self.state.lock().map_err(|_| "the post is closed")?;
        if state.strikes > 0 {
            state.strikes -= 1;
            return Err(format!("no mail to {address} today").into());
        }
        state.delivered.push(address.to_owned());
        Ok(())
    }

    fn strike(&self, times: usize) -> Result<()> {
        self.state.lock().map_err(|_| "the post is closed")?.strikes = times;
        Ok(())
    }

    fn delivered(&self, address: &str) -> Result<usize> {
        let state = self.state.lock().map_err(|_| "the post is closed")?;
        Ok(state.delivered.iter().filter(|delivered| *delivered == address).count())
    }
}

const CALLERS: usize = 10;

/// What all callers got: how many sent it, and the errors of those that tried and failed.
fn all_call(database: &Database, notification: &Notification, post: &Post) -> Result<(usize, Vec<String>)> {
    let answers = database.at_once(CALLERS, |_, conn| {
        Ok::<_, LockError>(notification.send(conn, post).map_err(|error| error.to_string()))
    })?;
    let sent = answers.iter().filter(|answer| matches!(answer, Ok(true))).count();
    Ok((sent, answers.into_iter().filter_map(std::result::Result::err).collect()))
}

fn main() -> Result<()> {
    let database = Database::create("notification")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(
        "CREATE TABLE notifications (id int PRIMARY KEY, address text NOT NULL, sent_at timestamp NULL);
         INSERT INTO notifications (id, address) VALUES (1, 'ada@example.org'), (2, 'bob@example.org')",
    )?;
    let all: Vec<Notification> =
        notifications::table.order(notifications::id).select(Notification::as_select()).load(conn)?;
    let [ada, bob] = &all[..] else { return Err("two notifications were made".into()) };
    let post = Post::default();

    let (sent, errors) = all_call(&database, ada, &post)?;
    println!("{}: {CALLERS} callers, {sent} sent it, {} mail", ada.address, post.delivered(&ada.address)?);
    assert_eq!((sent, errors.len(), post.delivered(&ada.address)?), (1, 0, 1));

    // A caller whose mail fails gets the error, the lock is free again, and the next one sends.
    post.strike(1)?;
    let (sent, errors) = all_call(&database, bob, &post)?;
    println!("{}: {CALLERS} callers, {sent} sent it, {} mail", bob.address, post.delivered(&bob.address)?);
    println!("    one was told: {}", errors.join(", "));
    assert_eq!((sent, errors.len(), post.delivered(&bob.address)?), (1, 1, 1));
    assert!(!AdvisoryLock::on(bob).scope("send").is_held(conn)?, "nothing is left behind");
    Ok(())
}

#[test]
fn advisory_notification_example() -> Result<()> {
    main()
}
