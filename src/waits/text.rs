//! The words of a snapshot, for both of its pictures.

use std::{fmt::Write, time::Duration};

use super::{LockKind, LockWait};
use crate::session::LockSession;

/// The longest statement that is shown, in characters.
const LONGEST: usize = 120;

/// Returns the text on one line: white space is one blank, other control and format characters are escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let _ = write!(line, "{}{}", if line.is_empty() { "" } else { " " }, Plain(word));
    }
    line
}

/// Returns the beginning of a statement, on one line.
pub(crate) fn statement(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line,
    }
}

/// Displays a text without characters that a terminal acts upon. Quotes are shown as they are.
struct Plain<'t>(&'t str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\'' | '\\' => f.write_char(c),
            c => write!(f, "{}", c.escape_debug()),
        })
    }
}

/// Returns a time as a person says it: `850ms`, `3.2s`, `12m 3s`, `2h 5m`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..=9 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        10..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Returns who a session is: `session 4711 "billing" (ada@shop)`.
pub(crate) fn who(session: &LockSession) -> String {
    let LockSession { id, user, application, database, .. } = session;
    let mut who = if *id == 0 { "a prepared transaction".to_owned() } else { format!("session {id}") };
    if !application.is_empty() {
        let _ = write!(who, " \"{}\"", one_line(application));
    }
    match (user.is_empty(), database) {
        (true, None) => {}
        (true, Some(database)) => _ = write!(who, " (in {})", one_line(database)),
        (false, None) => _ = write!(who, " ({})", one_line(user)),
        (false, Some(database)) => _ = write!(who, " ({} in {})", one_line(user), one_line(database)),
    }
    who
}

/// Returns what a session does that waits for nobody.
pub(crate) fn state(session: &LockSession) -> String {
    let mut text = match &session.state {
        _ if session.is_idle_in_transaction() => "IDLE IN TRANSACTION".to_owned(),
        Some(state) => one_line(state),
        None => "state unknown".to_owned(),
    };
    if let Some(age) = session.state_age {
        let _ = write!(text, " for {}", time(age));
    }
    text + &transaction(session)
}

/// Returns the age of a session's transaction, to be written behind its state.
pub(super) fn transaction(session: &LockSession) -> String {
    session.transaction_age.map_or_else(String::new, |age| format!("; transaction open for {}", time(age)))
}

/// Returns what a session waits for: `waits 3.2s for a row of accounts (0,2), FOR UPDATE`.
pub(super) fn wait(wait: &LockWait) -> String {
    let mut text = "waits".to_owned();
    if let Some(waited) = wait.waited {
        let _ = write!(text, " {}", time(waited));
    }
    let table = wait.table.as_deref().map(one_line);
    let key = wait.key.as_deref().map(one_line);
    let of = |what: &str| table.as_ref().map_or_else(|| what.to_owned(), |table| format!("{what} of {table}"));
    let what = match &wait.kind {
        LockKind::Row => of(&key.map_or_else(|| "a row".to_owned(), |key| format!("row {key}"))),
        LockKind::Transaction => of("the end of a transaction"),
        LockKind::Table => table.map_or_else(|| "a table".to_owned(), |table| format!("the table {table}")),
        LockKind::Advisory => {
            key.map_or_else(|| "an advisory lock".to_owned(), |key| format!("the advisory lock {key}"))
        }
        LockKind::Other(kind) => of(&format!("a lock ({})", one_line(kind))),
    };
    let _ = write!(text, " for {what}");
    if let Some(index) = wait.index.as_deref().filter(|index| *index != "PRIMARY") {
        let _ = write!(text, " in the index {}", one_line(index));
    }
    if let Some(name) = &wait.advisory_lock {
        let _ = write!(text, " \"{}\"", one_line(name));
    }
    if let Some(mode) = &wait.mode {
        let _ = write!(text, ", {}", one_line(mode));
    }
    text
}
