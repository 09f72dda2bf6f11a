//! Names of the databases that tests create: when, for what, and a tail for the human eye.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const PREFIX: &str = "lockset";

/// PostgreSQL cuts longer names off, silently.
const LONGEST: usize = 63;

/// `lockset_<seconds>_<digest>_<tail>`, both numbers in hexadecimal and of fixed width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseName {
    seconds: u32,
    digest: u64,
    tail: String,
}

impl DatabaseName {
    pub(crate) fn new(digest: u64, tail: &str) -> Self {
        Self::created_at(now(), digest, tail)
    }

    pub(crate) fn created_at(seconds: u32, digest: u64, tail: &str) -> Self {
        let mut tail: String =
            tail.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        tail.truncate(LONGEST - PREFIX.len() - "_01234567_0123456789abcdef_".len());
        Self { seconds, digest, tail }
    }

    /// The parts of a name of this grammar; `None` for the databases of others.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.splitn(4, '_');
        if parts.next() != Some(PREFIX) {
            return None;
        }
        let seconds = u32::from_str_radix(parts.next()?, 16).ok()?;
        let digest = u64::from_str_radix(parts.next()?, 16).ok()?;
        let parsed = Self { seconds, digest, tail: parts.next()?.to_owned() };
        (parsed.to_string() == name).then_some(parsed)
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn tail(&self) -> &str {
        &self.tail
    }

    pub(crate) fn age(&self) -> Duration {
        Duration::from_secs(now().saturating_sub(self.seconds).into())
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}_{:08x}_{:016x}_{}", self.seconds, self.digest, self.tail)
    }
}

/// Seconds since 1970, good until 2106.
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    u32::try_from(since.as_secs()).expect("a date before 2106")
}

#[cfg(test)]
mod tests {
    use super::{DatabaseName, LONGEST};

    #[test]
    fn a_name_says_where_it_comes_from() {
        let name = DatabaseName::new(7, "contract::row::A01 returns the row and holds it to the end");
        let text = name.to_string();
        assert!(text.ends_with("_0000000000000007_contract__row__a01_returns_th"), "{text}");
        assert!(text.len() <= LONGEST);
        assert_eq!(DatabaseName::parse(&text), Some(name));
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in ["postgres", "lockset", "lockset_1_2_x", "lockset_production", "lockset_zzzzzzzz_0_x"] {
            assert_eq!(DatabaseName::parse(name), None, "{name}");
        }
    }
}
