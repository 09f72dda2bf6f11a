//! The canonical text of numbers: `1.5` and `1.50`, which are equal to the server, have one text.

use std::any::TypeId;

use diesel::sql_types::{Double, Float, Numeric};

/// Returns whether one number of this SQL type can be written as different texts.
pub(super) fn is_written_freely<ST: 'static>() -> bool {
    [TypeId::of::<Numeric>(), TypeId::of::<Float>(), TypeId::of::<Double>()].contains(&TypeId::of::<ST>())
}

/// The limit of the digits that are written out: more than PostgreSQL's `numeric` has in front of the point or behind it.
const MOST_DIGITS: usize = 150_000;

/// Returns the number without an exponent and without insignificant zeros; zero itself is `0`. A text that is no decimal number, such as
/// `NaN`, is returned unchanged.
pub(super) fn canonical(written: &str) -> String {
    parse(written).unwrap_or_else(|| written.to_owned())
}

fn parse(written: &str) -> Option<String> {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (written, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let digits = [whole, fraction].concat();
    // The number of digits in front of the point. It may be negative, or exceed the number of digits.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let point = point - i64::try_from(leading).ok()?;
    if usize::try_from(point.unsigned_abs()).ok()? > MOST_DIGITS {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    Some(match usize::try_from(point) {
        Ok(0) => format!("{sign}0.{digits}"),
        Ok(point) if point >= digits.len() => format!("{sign}{digits:0<point$}"),
        Ok(point) => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        Err(_) => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).ok()?)),
    })
}
