//! The place in the user's code that a statement comes from.

use std::backtrace::Backtrace;

/// Returns file and line of the nearest caller that belongs neither to a library nor to this crate. `None` without debug information.
pub(super) fn of_caller() -> Option<String> {
    of(&Backtrace::force_capture())
}

/// Returns the same of a backtrace that was captured before. Names are looked up only now.
pub(super) fn of(backtrace: &Backtrace) -> Option<String> {
    nearest(&backtrace.to_string())
}

/// A backtrace has a line with the function, then one with the place.
fn nearest(backtrace: &str) -> Option<String> {
    let mut function = "";
    for line in backtrace.lines().map(str::trim) {
        let Some(place) = line.strip_prefix("at ") else {
            function = line.split_once(": ").map_or(line, |(_, function)| function);
            continue;
        };
        let of_library = ["/rustc/", "/.cargo/", "/registry/", "/library/"].iter().any(|folder| place.contains(folder));
        let of_crate = ["diesel_lockset::", "diesel::", "std::", "core::"].iter().any(|name| function.contains(name));
        if !of_library && !of_crate {
            return Some(place.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_place_of_the_users_code() {
        let backtrace = "   0: std::backtrace::Backtrace::create\n             at /rustc/1/library/std/src/backtrace.rs:331:13\n\
                         \x20  1: <diesel_lockset::testing::order::watch::Watch<DB> as X>::on\n             at ./src/testing/order/watch.rs:1:1\n\
                         \x20  2: diesel::pg::connection::run\n             at /home/me/.cargo/registry/src/diesel/src/pg.rs:1:1\n\
                         \x20  3: bank::transfer::{{closure}}\n             at ./src/bank.rs:12:34\n\
                         \x20  4: bank::main\n             at ./src/main.rs:3:4\n";
        assert_eq!(nearest(backtrace).as_deref(), Some("./src/bank.rs:12:34"));
        assert_eq!(nearest("   0: bank::transfer\n"), None);
    }
}
