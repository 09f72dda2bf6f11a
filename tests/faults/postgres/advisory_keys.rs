//! Keys that are one key to the server have one advisory lock.

use std::fmt;

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue, data_types::PgNumeric},
    prelude::*,
    serialize::{self, Output, ToSql},
    sql_types::Numeric,
};
use diesel_lockset::{AdvisoryLock, LockDsl, Lockable, RunAdvisoryLock};

use crate::support::arena::Arena;

diesel::table! {
    prices (id) { id -> Numeric, v -> Integer, }
}

diesel::table! {
    ranged (id, step) { id -> Numeric, step -> Double, v -> Integer, }
}

/// A number as somebody wrote it: `1.5`, `1.50`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Numeric)]
struct Amount(String);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Of one digit, and one group of digits behind the point.
impl ToSql<Numeric, Pg> for Amount {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let digits = vec![whole.parse()?, format!("{fraction:0<4}").parse()?];
        let numeric = PgNumeric::Positive { weight: 0, scale: u16::try_from(fraction.len())?, digits };
        ToSql::<Numeric, Pg>::to_sql(&numeric, &mut out.reborrow())
    }
}

impl FromSql<Numeric, Pg> for Amount {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let PgNumeric::Positive { scale, digits, .. } = PgNumeric::from_sql(value)? else { return Err("odd".into()) };
        let fraction = format!("{:04}", digits.get(1).copied().unwrap_or_default());
        Ok(Amount(format!("{}.{}", digits[0], &fraction[..usize::from(scale)])))
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = prices)]
struct Price {
    id: Amount,
    v: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Double)]
struct Step(String);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ToSql<diesel::sql_types::Double, Pg> for Step {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<diesel::sql_types::Double, Pg>::to_sql(&self.0.parse::<f64>()?, &mut out.reborrow())
    }
}

impl FromSql<diesel::sql_types::Double, Pg> for Step {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let step: f64 = FromSql::<diesel::sql_types::Double, Pg>::from_sql(value)?;
        Ok(Step(step.to_string()))
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = ranged, primary_key(id, step))]
struct Ranged {
    id: Amount,
    step: Step,
}

#[test]
fn a_number_is_one_key_however_many_zeros_it_has() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE prices (id numeric(10, 2) PRIMARY KEY, v int NOT NULL); INSERT INTO prices VALUES (1.5, 1)",
    );
    let (mut one, mut other) = (arena.pg(), arena.pg());
    let loaded: Price = prices::table.first(&mut one).unwrap();
    assert_eq!((loaded.id.0.as_str(), loaded.v), ("1.50", 1));
    let typed = Amount("1.5".to_owned());
    one.transaction(|conn| Price::lock_by_id(typed.clone(), conn)).unwrap();
    let held = AdvisoryLock::on(&loaded).acquire(&mut one).unwrap();
    assert!(AdvisoryLock::id::<Price>(typed).try_acquire(&mut other).unwrap().is_none(), "had by both");
    drop(held);
    assert_eq!(AdvisoryLock::on(&loaded).name().text(), "Price|1.5");
    // In SQL: `trim_scale`.
    assert_eq!(arena.text("SELECT 'Price|' || trim_scale(id) FROM prices").as_deref(), Some("Price|1.5"));
}

#[test]
fn equal_numbers_have_one_text() {
    for (written, text) in [
        ("1.50", "1.5"),
        ("1.5", "1.5"),
        ("1", "1"),
        ("1.00", "1"),
        ("100", "100"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("+1", "1"),
        ("007", "7"),
        ("-1.10", "-1.1"),
        ("1E+3", "1000"),
        ("1.50e2", "150"),
        ("15E-1", "1.5"),
        ("1E-8", "0.00000001"),
        (".5", "0.5"),
        ("5.", "5"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
    ] {
        let lock = AdvisoryLock::id::<Price>(Amount(written.to_owned()));
        assert_eq!(lock.name().text(), format!("Price|{text}"), "{written}");
        let lock = AdvisoryLock::id::<Ranged>((Amount(written.to_owned()), Step("-0".to_owned())));
        assert_eq!(lock.name().text(), format!("Ranged|{text},0"), "{written}");
    }
}
