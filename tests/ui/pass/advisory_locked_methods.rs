//! Methods of all kinds under the lock of their model.

#![deny(unused, unused_qualifications)]

include!("../bank.rs");

use std::{borrow::Cow, fmt::Debug};

use diesel_lockset::{
    LockConnection, advisory_locked,
    bounds::SupportsAdvisory,
    markers::{Exclusive, Shared},
};

#[derive(Debug)]
#[allow(dead_code)]
enum BankError {
    Lock(LockError),
    Query(diesel::result::Error),
    Empty,
}

impl From<LockError> for BankError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl From<diesel::result::Error> for BankError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

#[allow(dead_code)]
impl Account {
    /// `return`, `?`, an error of one's own.
    #[advisory_locked]
    #[must_use]
    #[inline]
    pub(crate) fn pay(&self, conn: &mut PgConnection, amount: i64) -> Result<i64, BankError> {
        let account: Account = accounts::table.find(self.id).select(Account::as_select()).first(conn)?;
        if account.balance < amount {
            return Err(BankError::Empty);
        }
        for _ in 0..2 {
            if amount == 0 {
                return Ok(account.balance);
            }
        }
        diesel::update(accounts::table.find(self.id)).set(accounts::balance.eq(0)).execute(conn)?;
        Ok(account.balance - amount)
    }

    #[advisory_locked(timeout = "none", session)]
    fn of_a_type_without_a_name(&self, conn: &mut impl LockConnection<Backend = diesel::pg::Pg>) -> QueryResult<usize> {
        diesel::delete(accounts::table.find(self.id)).execute(conn)
    }

    #[advisory_locked(scope = "pay", shared, timeout = "300ms")]
    fn generic<'a, C, T: ?Sized + Debug, const N: usize>(&'a self, notes: [&'a T; N], connection: &mut C) -> Result<&'a T, LockError>
    where
        C: LockConnection<Backend: SupportsAdvisory<Exclusive> + SupportsAdvisory<Shared>>,
        T: 'a,
    {
        let _: &mut C = connection;
        let [first, ..] = &notes[..] else { return Err(LockError::NotInTransaction) };
        Ok(first)
    }

    #[advisory_locked(shared, session, timeout = "2min", conn = "teller")]
    fn two_of_them(&mut self, teller: &mut PgConnection, log: &mut Vec<String>) -> Result<(), LockError> {
        self.balance += 1;
        log.push(self.owner.clone());
        accounts::table.count().get_result::<i64>(teller)?;
        Ok(())
    }

    #[advisory_locked]
    fn elided(&self, conn: &mut PgConnection) -> Result<Cow<'_, str>, LockError> {
        accounts::table.count().get_result::<i64>(conn)?;
        Ok(Cow::Borrowed(&self.owner))
    }

    #[advisory_locked]
    fn elided_reference(&self, _: &mut PgConnection) -> Result<&str, LockError> {
        Ok(&self.owner)
    }

    #[advisory_locked(try)]
    fn owner_to_change(&mut self, _conn: &mut PgConnection) -> Result<Option<&mut String>, LockError> {
        Ok(Some(&mut self.owner))
    }

    #[advisory_locked]
    fn opaque(&self, mut conn: &mut PgConnection, mut names: Vec<String>) -> Result<impl Iterator<Item = String>, LockError> {
        accounts::table.count().get_result::<i64>(conn)?;
        let again = &mut conn;
        accounts::table.count().get_result::<i64>(&mut **again)?;
        names.push(self.owner.clone());
        Ok(names.into_iter())
    }

    #[advisory_locked]
    fn receiver_with_a_type(self: &Self, (a, b): (i64, i64), r#type: &mut PgConnection) -> Result<i64, LockError> {
        let _ = r#type;
        Ok(a + b)
    }

    #[advisory_locked]
    #[cfg(any())]
    fn not_there(&self) {}

    #[advisory_locked]
    fn with_inner_attributes(&self, conn: &mut PgConnection) -> Result<(), LockError> {
        #![allow(unused_variables)]
        Ok(())
    }

    #[advisory_locked]
    fn never_ends(&self, _conn: &mut PgConnection) -> Result<(), LockError> {
        panic!("on purpose")
    }
}

/// A trait of the user's.
#[allow(dead_code)]
trait Pay {
    /// Pays.
    fn pay_out(&self, conn: &mut PgConnection) -> Result<bool, LockError>;

    /// For all models.
    #[advisory_locked]
    fn provided(&self, conn: &mut PgConnection) -> Result<i64, LockError>
    where
        Self: Lockable<Key = i64, KeyColumns: diesel_lockset::__private::KeyText<i64>>,
    {
        Ok(accounts::table.count().get_result(conn)?)
    }
}

impl Pay for Account {
    #[advisory_locked]
    fn pay_out(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
        pays(conn)
    }
}

impl Pay for Seat {
    #[advisory_locked]
    fn pay_out(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
        pays(conn)
    }
}

fn pays(_conn: &mut PgConnection) -> Result<bool, LockError> {
    Ok(true)
}

/// Names that come from the macro and names that come from its caller.
macro_rules! methods {
    ($name:ident, $conn:ident: $type:ty, $output:ty) => {
        #[allow(dead_code)]
        impl Transfer {
            #[advisory_locked(crate = "diesel_lockset")]
            fn $name(&self, $conn: $type) -> $output {
                let _: i64 = accounts::table.count().get_result($conn)?;
                Ok(())
            }

            #[advisory_locked(crate = ::diesel_lockset)]
            fn of_the_macro(&self, conn: $type) -> $output {
                let _: i64 = accounts::table.count().get_result(conn)?;
                Ok(())
            }
        }
    };
}

methods!(named, db: &mut PgConnection, Result<(), LockError>);

fn main() {}
