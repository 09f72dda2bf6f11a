//! How long, and from which seed.

use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
};

use fastrand::Rng;

use crate::phases::Level;

/// Long enough for each phase to have some hundreds of operations.
const SECONDS: f64 = 25.0;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How long one server is attacked, all phases together.
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
    /// Only phases whose name contains this.
    pub(crate) only: String,
    /// Whether a call that gave up is made again, to find out whether a wait would have been right.
    pub(crate) probes: bool,
}

impl Settings {
    pub(crate) fn read() -> Self {
        Self {
            seconds: number("DIESEL_LOCKSET_ATTACK_SECONDS").unwrap_or(SECONDS),
            seed: number("DIESEL_LOCKSET_ATTACK_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            only: env::var("DIESEL_LOCKSET_ATTACK_PHASE").unwrap_or_default(),
            probes: env::var("DIESEL_LOCKSET_ATTACK_PROBE_ENDINGS").is_ok_and(|value| value.trim() == "1"),
        }
    }

    /// The generator of one operation: the same for the same seed, whatever became of the operations before.
    pub(crate) fn draws(&self, phase: &str, level: Level, thread: usize, operation: u64) -> Rng {
        let mut hasher = DefaultHasher::new();
        (self.seed, phase, level.text(), thread, operation).hash(&mut hasher);
        Rng::with_seed(hasher.finish())
    }

    /// The command that draws the same operations again.
    pub(crate) fn replay(&self, phase: &str) -> String {
        let Settings { seconds, seed, .. } = self;
        format!(
            "DIESEL_LOCKSET_ATTACK_SEED={seed} DIESEL_LOCKSET_ATTACK_PHASE='{phase}' \
             DIESEL_LOCKSET_ATTACK_SECONDS={seconds} cargo xtask test -- attack --nocapture"
        )
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok().filter(|text| !text.trim().is_empty())?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
