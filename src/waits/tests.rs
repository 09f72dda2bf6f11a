//! The pictures of snapshots, with everything in them that a server may say.

use std::time::Duration;

use super::{LockKind, LockWait, LockWaits};
use crate::session::LockSession;

fn session(id: i64, application: &str, state: &str, statement: &str) -> LockSession {
    LockSession {
        id,
        user: "ada".to_owned(),
        application: application.to_owned(),
        database: Some("shop".to_owned()),
        state: Some(state.to_owned()),
        state_age: Some(Duration::from_secs(723)),
        transaction_age: Some(Duration::from_secs(7_500)),
        statement: Some(statement.to_owned()),
    }
}

fn wait(waiter: i64, holders: &[i64], ahead: &[i64]) -> LockWait {
    LockWait {
        waiter,
        holders: holders.to_vec(),
        ahead: ahead.to_vec(),
        kind: LockKind::Row,
        table: Some("accounts".to_owned()),
        index: None,
        key: Some("(0,2)".to_owned()),
        advisory_lock: None,
        mode: Some("FOR UPDATE".to_owned()),
        waited: Some(Duration::from_millis(3_250)),
    }
}

fn active(id: i64) -> LockSession {
    LockSession { transaction_age: Some(Duration::from_millis(850)), ..session(id, "web", "active", "SELECT 1") }
}

#[test]
fn a_tree_has_the_roots_first_and_each_session_once() {
    let waits = LockWaits {
        sessions: vec![
            session(1, "billing", "idle in transaction", "UPDATE accounts\n  SET balance = $1"),
            active(2),
            active(3),
            active(4),
            active(5),
        ],
        waits: vec![wait(2, &[1], &[]), wait(3, &[2], &[]), wait(4, &[2], &[3]), wait(5, &[1], &[2])],
        limits: vec!["what the sessions of other roles do".to_owned()],
    };
    assert_eq!(
        waits.to_string(),
        "4 sessions wait for a lock\n\
         session 1 \"billing\" (ada in shop) IDLE IN TRANSACTION for 12m 3s; transaction open for 2h 5m\n\
         │ last: UPDATE accounts SET balance = $1\n\
         ├─ session 2 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 850ms\n\
         │  │ runs: SELECT 1\n\
         │  ├─ session 3 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 850ms\n\
         │  │    runs: SELECT 1\n\
         │  └─ session 4 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE, behind 3; transaction open for 850ms\n\
         │       runs: SELECT 1\n\
         └─ session 5 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE, behind 2; transaction open for 850ms\n     \
              runs: SELECT 1\n\
         not seen: what the sessions of other roles do"
    );
    assert_eq!(
        waits.to_mermaid(),
        "flowchart BT\n    \
             s1[\"session 1 #34;billing#34; (ada in shop) IDLE IN TRANSACTION for 12m 3s#59; transaction open for 2h 5m\"]\n    \
             s2[\"session 2 #34;web#34; (ada in shop)\"]\n    \
             s3[\"session 3 #34;web#34; (ada in shop)\"]\n    \
             s4[\"session 4 #34;web#34; (ada in shop)\"]\n    \
             s5[\"session 5 #34;web#34; (ada in shop)\"]\n    \
             s2 -->|\"waits 3.2s for row (0,2) of accounts, FOR UPDATE\"| s1\n    \
             s3 -->|\"waits 3.2s for row (0,2) of accounts, FOR UPDATE\"| s2\n    \
             s4 -->|\"waits 3.2s for row (0,2) of accounts, FOR UPDATE\"| s2\n    \
             s4 -.->|\"behind\"| s3\n    \
             s5 -->|\"waits 3.2s for row (0,2) of accounts, FOR UPDATE\"| s1\n    \
             s5 -.->|\"behind\"| s2\n"
    );
}

#[test]
fn circles_strangers_and_prepared_transactions_are_shown() {
    let unknown = LockSession { id: 0, ..LockSession::default() };
    let waits = LockWaits {
        sessions: vec![unknown, active(1), active(2), active(3), active(4)],
        waits: vec![wait(1, &[2], &[]), wait(2, &[1], &[]), wait(3, &[], &[]), wait(4, &[0], &[])],
        limits: vec![],
    };
    assert_eq!(
        waits.to_string(),
        "4 sessions wait for a lock\n\
         a prepared transaction state unknown\n\
         └─ session 4 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 850ms\n     \
              runs: SELECT 1\n\
         session 3 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE, held by a session that is not reported; \
         transaction open for 850ms\n  \
           runs: SELECT 1\n\
         a circle of waits:\n\
         session 1 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 850ms\n\
         │ runs: SELECT 1\n\
         └─ session 2 \"web\" (ada in shop) waits 3.2s for row (0,2) of accounts, FOR UPDATE; transaction open for 850ms\n   \
            │ runs: SELECT 1\n   \
            └─ session 1, as above"
    );
    assert!(waits.roots().iter().map(|root| root.id).eq([0]));
}

#[test]
fn nobody_waits() {
    let none = LockWaits::default();
    assert_eq!(
        (none.to_string(), none.to_mermaid()),
        ("no session waits for a lock".to_owned(), "flowchart BT\n".to_owned())
    );
    let blind = LockWaits { limits: vec!["all waits".to_owned()], ..none };
    assert_eq!(blind.to_string(), "no session is seen to wait for a lock\nnot seen: all waits");
}

/// Names that break out of a line, a terminal, a quoted label, a node, or a chart.
const HOSTILE: &[&str] = &[
    "\"]\n    s9[\"root",
    "a\r\nsession 9 \"x\" IDLE IN TRANSACTION",
    "`**bold**`",
    "<script>alert(1)</script>",
    "#34;]; click s1 \"javascript:alert(1)\"",
    "|x| --> s1",
    "\u{1b}[2J\u{7}",
    "\u{202e}gnp.exe",
    "\u{2028}\u{85}line",
    "end",
    "%%{init: {}}%%",
    "subgraph x;\nend",
    "日本語 ünï",
];

#[test]
fn hostile_names_stay_inside_their_line_and_their_label() {
    for name in HOSTILE {
        let mut hostile = wait(2, &[1], &[]);
        hostile.table = Some((*name).to_owned());
        hostile.key = Some((*name).to_owned());
        hostile.index = Some((*name).to_owned());
        hostile.advisory_lock = Some((*name).to_owned());
        let mut holder = session(1, name, name, name);
        holder.user = (*name).to_owned();
        holder.database = Some((*name).to_owned());
        let limits = vec![(*name).to_owned()];
        let waits = LockWaits { sessions: vec![holder, active(2)], waits: vec![hostile], limits };
        let (tree, chart) = (waits.to_string(), waits.to_mermaid());
        assert_eq!(tree.lines().count(), 6, "{tree}");
        assert!(!tree.contains(|c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c))), "{tree:?}");
        let lines: Vec<&str> = chart.lines().collect();
        assert_eq!(lines.len(), 4, "{chart}");
        for (line, (begin, end)) in
            lines[1..].iter().zip([("    s1[\"", "\"]"), ("    s2[\"", "\"]"), ("    s2 -->|\"", "\"| s1")])
        {
            let label = line.strip_prefix(begin).and_then(|line| line.strip_suffix(end));
            let label = label.unwrap_or_else(|| panic!("{line}"));
            assert!(!label.contains(|c: char| "\"`<>|[]{}%&\\*\n".contains(c) || c.is_control()), "{label}");
            for code in label.split('#').skip(1) {
                let digits = code.find(';').map(|end| &code[..end]).unwrap_or_default();
                assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()), "{label}");
            }
        }
    }
}

#[test]
fn a_long_statement_is_cut_between_characters() {
    let waits = LockWaits {
        sessions: vec![session(1, "", "active", &"ä".repeat(500)), active(2)],
        waits: vec![wait(2, &[1], &[])],
        limits: vec![],
    };
    let line = waits.to_string();
    let line = line.lines().find(|line| line.contains("runs: ä")).map(str::to_owned).unwrap_or_default();
    assert_eq!(line.matches('ä').count(), 120);
    assert!(line.ends_with("ä.."), "{line}");
}

#[test]
fn a_long_chain_is_shown_whole() {
    let sessions = (0..5_000).map(active).collect();
    let waits = (1..5_000).map(|id| wait(id, &[id - 1], &[])).collect();
    let tree = LockWaits { sessions, waits, limits: vec![] }.to_string();
    assert_eq!(tree.lines().count(), 10_001);
    assert!(tree.contains("session 4999 \"web\"") && tree.len() < 3_000_000, "{}", tree.len());
}
