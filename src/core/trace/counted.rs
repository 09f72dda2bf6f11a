//! A driver that counts the statements that it hands on.

use std::{future::Future, time::Duration};

use diesel::{
    connection::{Instrumentation, TransactionManagerStatus},
    result::QueryResult,
};

use crate::{
    backend::{CommitBy, Sink},
    core::driver::Driver,
    diesel_internals::Statement,
};

/// Hands everything on to another driver.
pub(in crate::core) struct Counted<'d, D> {
    driver: &'d mut D,
    statements: u32,
}

impl<'d, D: Driver> Counted<'d, D> {
    pub(in crate::core) fn new(driver: &'d mut D) -> Self {
        Counted { driver, statements: 0 }
    }

    /// Returns the number of statements, those of savepoints included. A batch counts as one.
    pub(in crate::core) fn statements(&self) -> u32 {
        self.statements
    }

    fn next(&mut self) -> &mut D {
        self.statements = self.statements.saturating_add(1);
        self.driver
    }
}

impl<D: Driver> Driver for Counted<'_, D> {
    type DB = D::DB;

    fn rows<'a>(
        &'a mut self,
        statement: Statement<'a, Self::DB>,
        sink: Sink<'a, Self::DB>,
    ) -> impl Future<Output = QueryResult<()>> {
        self.next().rows(statement, sink)
    }

    fn execute<'a>(&'a mut self, statement: Statement<'a, Self::DB>) -> impl Future<Output = QueryResult<usize>> {
        self.next().execute(statement)
    }

    fn batch(&mut self, statements: &str) -> impl Future<Output = QueryResult<()>> {
        self.next().batch(statements)
    }

    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> {
        self.next().begin()
    }

    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> {
        self.next().commit()
    }

    fn control(&mut self, text: &'static str) -> impl Future<Output = QueryResult<()>> {
        self.next().control(text)
    }

    fn commits_by(&self) -> bool {
        self.driver.commits_by()
    }

    fn commit_by(&mut self, by: CommitBy) -> impl Future<Output = QueryResult<()>> {
        self.next().commit_by(by)
    }

    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>> {
        self.next().rollback()
    }

    fn sleep(&mut self, pause: Duration) -> impl Future<Output = ()> {
        self.driver.sleep(pause)
    }

    fn gives_up(&mut self) -> bool {
        self.driver.gives_up()
    }

    fn status(&mut self) -> &mut TransactionManagerStatus {
        self.driver.status()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.driver.instrumentation()
    }

    fn tells_of_aborts(&self) -> bool {
        self.driver.tells_of_aborts()
    }
}
