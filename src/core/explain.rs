//! Tells what a call would send, without a connection: the plans of the call are asked for their statements, and nothing is sent.

use diesel::query_builder::{AsChangeset, AsQuery, QueryFragment};

use super::set::{alike, takes_savepoint};
use crate::{
    backend::{AdvisoryCall, Clock, LockingBackend, Step, TablePlan},
    diesel_internals::{Statement, sql_of},
    error::Result,
    explanation::Explanation,
    lock_set::LockSet,
    lockable::{Lockable, RowRequest},
    mode::WaitPolicy,
    pick::{ClaimFrom, PickFrom, Picks},
    sql::LockTarget,
};

/// The largest number of statements of one table that are shown.
const MOST: usize = 100;

impl<DB: LockingBackend, W> LockSet<'_, DB, W> {
    /// Returns the statements that [`lock`](crate::RunLockSet::lock) would send, without a connection.
    ///
    /// Statements that depend on what the server answers are described in [`Explanation::further`]. The texts are those that are sent, with
    /// placeholders in the place of values. Under a timeout the text of a statement also has its limit, which depends on the connection.
    ///
    /// # Errors
    ///
    /// Those of `lock` that it returns before anything is sent, such as [`LockError::Unsupported`](crate::LockError::Unsupported).
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() -> Result<(), LockError> {
    /// use diesel::pg::Pg;
    ///
    /// let open = orders::table.filter(orders::status.eq("open"));
    /// let set = LockSet::<Pg>::new().id::<Account>(1).query::<Order>(open);
    /// let explanation = set.explain()?;
    /// let sql: Vec<&str> =
    ///     explanation.statements.iter().map(|statement| &*statement.sql).collect();
    /// // Table by table, in the order of their names.
    /// assert!(sql[0].contains("\"accounts\"") && sql[1].contains("\"orders\""));
    /// assert_eq!(sql.len(), 2);
    /// # Ok(()) }
    /// ```
    pub fn explain(mut self) -> Result<Explanation> {
        let (wait_policy, savepoint) = (self.wait_policy(), takes_savepoint(&self));
        let names_holders = self.names_holders();
        let (names, mut explanation) = (self.take_advisory(), Explanation::default());
        let (tables, asks_again) = self.into_tables()?;
        check_open::<DB>(&mut explanation);
        for (one, other) in alike::<DB>(&tables) {
            if let Some(question) = DB::same_table(&one, &other) {
                add(&mut explanation, &question, "asks whether two names denote one table")?;
            }
        }
        if let Some(snapshots) = DB::SNAPSHOTS.filter(|_| asks_again) {
            add(
                &mut explanation,
                &(snapshots.ask)(),
                "reads the isolation level, since a query depends on more than the locked row",
            )?;
        }
        if savepoint {
            explanation.mention("a savepoint is set in front, and released at the end: it keeps the transaction usable to ask for holders");
        }
        if let WaitPolicy::Timeout(timeout) = wait_policy {
            let mut clock = DB::Clock::default();
            if !clock.limits_inside() {
                if let Some(Step { statement, .. }) = clock.limit(timeout) {
                    add(&mut explanation, &statement, "limits the statement that follows to the time that is left")?;
                }
            }
            explanation.mention(
                "the time that is left is set in front of each statement, or is a part of its text; the statement itself or one behind it \
                 puts the setting back",
            );
        }
        let waits = matches!(wait_policy, WaitPolicy::Block | WaitPolicy::Timeout(_));
        for name in &names {
            let (call, does) = match waits {
                true => (AdvisoryCall::LockForTransaction, "waits for"),
                false => (AdvisoryCall::TryLockForTransaction, "tries to take"),
            };
            let does = format!("{does} the advisory lock {:?}, which ends with the transaction", name.name.text());
            add(&mut explanation, &name.statement(call), does)?;
        }
        for mut table in tables {
            for _ in 0..MOST {
                let does = table.purpose();
                let Some(step) = table.next_step() else { break };
                add(&mut explanation, &step.statement, does)?;
                drop(step);
                if !table.go_on()? {
                    break;
                }
            }
            table.further().into_iter().for_each(|text| explanation.mention(text));
        }
        if names_holders {
            explanation.mention("if the call fails: a query for the sessions that hold what it wanted");
        }
        Ok(explanation)
    }
}

impl<T: Lockable, W> RowRequest<T, W> {
    /// Returns the statements that locking this row would send, without a connection. As [`LockSet::explain`].
    ///
    /// # Errors
    ///
    /// As [`LockSet::explain`].
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() -> Result<(), LockError> {
    /// # let account = Account { id: 1, owner: "Ada".to_owned(), balance: 100 };
    /// let explanation = account.skip_locked().explain::<diesel::pg::Pg>()?;
    /// let sql = &explanation.statements[0].sql;
    /// assert!(sql.ends_with("FOR UPDATE OF \"accounts\" SKIP LOCKED"));
    /// # Ok(()) }
    /// ```
    pub fn explain<DB: LockingBackend>(self) -> Result<Explanation>
    where
        T: LockTarget<DB>,
    {
        LockSet::<DB, W>::of_row(self).explain()
    }
}

/// Tells what a pick or a claim would send, without a connection.
pub trait ExplainPick: AsQuery + Sized {
    /// Returns the first statement that [`pick`](crate::PickDsl::pick) would send, and what may follow.
    ///
    /// # Errors
    ///
    /// Those of `pick` that it returns before anything is sent.
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() -> Result<(), LockError> {
    /// use diesel::pg::Pg;
    /// use diesel_lockset::ExplainPick;
    ///
    /// let open = orders::table.filter(orders::status.eq("open")).order(orders::id);
    /// let explanation = open.explain_pick::<Order, Pg>(1)?;
    /// let sql = &explanation.statements[0].sql;
    /// assert!(sql.contains("FOR UPDATE OF \"orders\" SKIP LOCKED"));
    /// # Ok(()) }
    /// ```
    fn explain_pick<T, DB>(self, n: u32) -> Result<Explanation>
    where
        DB: LockingBackend,
        Self::Query: PickFrom<T, DB>,
    {
        explain(self.as_query().picks(n)?)
    }

    /// Returns the first statement that [`claim`](crate::PickDsl::claim) would send, and what may follow.
    ///
    /// # Errors
    ///
    /// Those of `claim` that it returns before anything is sent.
    fn explain_claim<T, DB, C>(self, n: u32, changes: C) -> Result<Explanation>
    where
        DB: LockingBackend,
        T: Lockable,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<DB>>,
        Self::Query: ClaimFrom<T, DB, C::Changeset>,
    {
        explain(self.as_query().claims(n, changes.as_changeset())?)
    }
}

impl<Q: AsQuery> ExplainPick for Q {}

fn explain<DB: LockingBackend, T>(mut picks: impl Picks<DB, T>) -> Result<Explanation> {
    let mut explanation = Explanation::default();
    check_open::<DB>(&mut explanation);
    if picks.claims_in_steps() {
        explanation.mention(
            "a transaction is begun in front, or a savepoint set in an open one; it ends behind the last statement",
        );
        explanation.mention("the rows that were locked are changed by a statement of its own");
    }
    if let Some(snapshots) = DB::SNAPSHOTS.filter(|_| picks.asks_again()) {
        add(
            &mut explanation,
            &(snapshots.ask)(),
            "reads the isolation level, since the query depends on more than the locked row",
        )?;
        explanation.mention("the query is sent once more when its rows are locked");
    }
    let does = format!("takes the first free rows of {}; it waits for none", picks.table().quoted());
    if let Some(step) = picks.next_step() {
        add(&mut explanation, &step.statement, does)?;
    }
    Ok(explanation)
}

/// Adds the statement that a backend with a single writer is sent to find out whether a transaction is open.
fn check_open<DB: LockingBackend>(explanation: &mut Explanation) {
    if let Some(rules) = DB::SINGLE_WRITER {
        let does =
            "always fails and changes nothing; behind it, the connection's record says whether a transaction is open";
        explanation.add(rules.check_open.to_owned(), does);
    }
}

fn add<DB: LockingBackend>(
    explanation: &mut Explanation,
    statement: &Statement<'_, DB>,
    does: impl Into<String>,
) -> Result<()> {
    explanation.add(sql_of(statement)?, does);
    Ok(())
}
