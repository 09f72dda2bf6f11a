//! Two editors and one article: not found, waiting for each other, and what a nested transaction does to the lock.
//!
//! Run it with `cargo run --features postgres --example article`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example article_on_mysql`; `cargo xtask test -- article` runs both.

mod shared;

use std::thread;

use diesel::{connection::SimpleConnection, prelude::*, result::Error::RollbackTransaction};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, ON_MYSQL, Result, until, waiting};

diesel::table! {
    articles (id) { id -> Integer, title -> Text, words -> Integer, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, AsChangeset, Lockable)]
#[diesel(table_name = articles)]
struct Article {
    id: i32,
    title: String,
    words: i32,
}

fn main() -> Result<()> {
    let database = Database::create("article")?;
    let (ada, bob) = (&mut database.connect()?, &mut database.connect()?);
    ada.batch_execute(
        "CREATE TABLE articles (id int PRIMARY KEY, title text NOT NULL, words int NOT NULL);
         INSERT INTO articles VALUES (1, 'Locks', 900)",
    )?;
    not_found(ada)?;
    both_at_once(ada, database.connect()?, bob)?;
    nested(ada, bob)
}

/// A row that is not there is an error with its name in it, and the transaction goes on.
fn not_found(ada: &mut Conn) -> Result<()> {
    ada.transaction(|ada| {
        match Article::lock_by_id(77, ada) {
            Err(error @ LockError::Missing { .. }) => println!("Ada locks article 77: {error}"),
            other => return Err(format!("should not have been found: {other:?}").into()),
        }
        let article = Article::lock_by_id(1, ada)?;
        println!("Ada locks article 1: {:?} has {} words", article.title, article.words);
        Ok(())
    })
}

/// Both add a hundred words. Bob's copy is from before Ada's change; what he gets from the lock is not.
fn both_at_once(ada: &mut Conn, mut bob: Conn, observer: &mut Conn) -> Result<()> {
    let copy: Article = articles::table.find(1).select(Article::as_select()).first(&mut bob)?;
    let add_words = |mut article: Article, conn: &mut Conn| -> Result<Article, LockError> {
        article.words += 100;
        diesel::update(&article).set(&article).execute(conn)?;
        Ok(article)
    };
    let bobs = ada.transaction(|ada| {
        add_words(Article::lock_by_id(1, ada)?, ada)?;
        let bobs = thread::spawn(move || copy.with_lock(&mut bob, add_words));
        until("Bob waits for Ada", || Ok(waiting(observer)? == 1))?;
        println!("Ada holds article 1, Bob wants it: the server says that he waits");
        Ok::<_, LockError>(bobs)
    })?;
    let article = bobs.join().map_err(|_| "Bob panicked")??;
    println!("Ada commits, Bob goes on: both added 100 words, now there are {}", article.words);
    assert_eq!(article.words, 1100, "no change is lost");
    Ok(())
}

/// A nested transaction is a savepoint. PostgreSQL gives back the locks taken after it when it is rolled back, and keeps
/// them to the end of the outer transaction when it is not. MySQL and MariaDB keep them either way.
fn nested(ada: &mut Conn, bob: &mut Conn) -> Result<()> {
    // Bob looks without waiting, and without a transaction: what he gets is free again at once.
    let mut is_held = || -> QueryResult<bool> {
        let free = articles::table.find(1).select(articles::id).for_update().skip_locked();
        Ok(free.first::<i32>(bob).optional()?.is_none())
    };
    ada.transaction(|ada| {
        // Were the nested one the first to ask for anything, its end would free the row on MySQL and MariaDB too.
        let words: i32 = articles::table.find(1).select(articles::words).first(ada)?;
        println!("Ada reads {words} words, without a lock");
        let failed = ada.transaction(|ada| {
            Article::lock_by_id(1, ada)?;
            assert!(is_held()?);
            Err::<(), _>(LockError::from(RollbackTransaction))
        });
        assert!(failed.is_err());
        println!("a nested transaction locks and fails: the article is {}", if is_held()? { "held" } else { "free" });
        assert_eq!(is_held()?, ON_MYSQL, "rolled back to before the lock");

        ada.transaction(|ada| Article::lock_by_id(1, ada))?;
        println!(
            "a nested transaction locks and succeeds: the article is {}",
            if is_held()? { "held" } else { "free" }
        );
        assert!(is_held()?, "the lock now belongs to the outer transaction");
        Ok::<_, LockError>(())
    })?;
    println!("the outer transaction ends: the article is {}", if is_held()? { "held" } else { "free" });
    assert!(!is_held()?);
    Ok(())
}

#[test]
fn article_example() -> Result<()> {
    main()
}
