//! A snapshot as a flowchart of Mermaid.

use std::fmt::Write;

use super::{LockWaits, text};

/// Returns the flowchart. Nodes are numbers of sessions, and all text is in quotes and escaped.
pub(super) fn flowchart(waits: &LockWaits) -> String {
    let mut chart = "flowchart BT\n".to_owned();
    for session in &waits.sessions {
        let waiting = waits.waits.iter().any(|wait| wait.waiter == session.id);
        let does = if waiting { String::new() } else { format!(" {}", text::state(session)) };
        let _ = writeln!(chart, "    s{}[\"{}\"]", session.id, escaped(&format!("{}{does}", text::who(session))));
    }
    for wait in &waits.waits {
        let label = escaped(&text::wait(wait));
        for holder in &wait.holders {
            let _ = writeln!(chart, "    s{} -->|\"{label}\"| s{holder}", wait.waiter);
        }
        for ahead in &wait.ahead {
            let _ = writeln!(chart, "    s{} -.->|\"behind\"| s{ahead}", wait.waiter);
        }
    }
    chart
}

/// Escapes a text for a quoted label, in which Mermaid reads quotes, entities, HTML and Markdown: each character that might be one of
/// those becomes an [entity code](https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters).
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_alphanumeric() || " .,:/@()-".contains(c) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
        escaped
    })
}
