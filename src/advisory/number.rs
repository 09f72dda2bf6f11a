//! One text for numbers that are equal to the server: `1.5` and `1.50`.

use std::any::TypeId;

use diesel::sql_types::{Double, Float, Numeric};

/// Whether the text of a key of this SQL type depends on how somebody has written the number.
pub(super) fn is_written_freely<ST: 'static>() -> bool {
    [TypeId::of::<Numeric>(), TypeId::of::<Float>(), TypeId::of::<Double>()].contains(&TypeId::of::<ST>())
}

/// More digits than PostgreSQL's `numeric` has in front of the point and behind it.
const MOST_DIGITS: usize = 150_000;

/// The number without an exponent, without zeros that do not count, and with one zero. What is no decimal number, such as `NaN`,
/// stays as it is.
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
    // How many of the digits stand in front of the point; it may lie outside of them.
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
