//! The attack: a randomised model test. Eight sessions lock, pick, claim and write at once, as a generator draws it, and a
//! model checks every answer while the locks are held.
//!
//! | rule | what must be true of an answer |
//! | --- | --- |
//! | fresh | a returned row is the one that another session sees committed, for nobody else can change it |
//! | exact | it was asked for by key, or matches its query: by the server, asked by another session, and by the model in Rust |
//! | order | the rows ascend by key |
//! | held | nobody else can lock it, and this session can at once |
//! | least | rows that are this session's own and were not asked for are free; those that were are never busy |
//! | whole | each key that was asked for is locked, missing or skipped; what exists all the time is not missing, what is gone all the time is not busy; what matches all the time is there |
//! | once | no job goes to two workers, and none is left over |
//! | kept | no two committed writes of a row have the same predecessor |
//! | deadlock | no circle consists of sessions alone that do nothing but lock one set in each transaction |
//! | error | a call ends in `Ok` or in an error that its documentation names |
//!
//! `DIESEL_LOCKSET_ATTACK_SECONDS` says how long each of the two servers is attacked, `DIESEL_LOCKSET_ATTACK_SEED` which
//! operations are drawn, `DIESEL_LOCKSET_ATTACK_PHASE` restricts it to phases whose name contains it. A seed replays what each
//! session does, one operation after the other; how the server interleaves them it cannot replay.
//!
//! A set waits in one ordered pass; for a row behind it that another session holds it does not wait, and ends in
//! `LimitedRowsChanged`: it gives up. A line at the end says how many calls do. With `DIESEL_LOCKSET_ATTACK_PROBE_ENDINGS=1` the session
//! then makes the call again, in the same transaction and with the locks that it holds, for the keys and the limited queries of the set; it
//! waits up to 5 seconds, and begins again as long as it gives up. A wait would have been *right* if all rows come, and a *deadlock* if
//! the call ends in one, or if another session does meanwhile and this session is in its circle. It is *unknown* if the call has released
//! its locks (`with_lock` on PostgreSQL), if it is canceled, if the server does not name the sessions of a deadlock meanwhile, or if the
//! call gives up again at a level that keeps a snapshot, where it never waits for the row in question. A table at the end has the counts.
//!
//! A session that probes does more than to lock one set, so such a run does not hold the rule `deadlock`. It leaves out the phases of
//! jobs. PostgreSQL searches for a circle after 10 ms, before a timeout of a set in it is over; a superuser may say so. MariaDB tells who
//! was in a circle if everybody may read the file of its log, and if that is smaller than `max_allowed_packet`.
//!
//! A phase is *open* for the rules that are known to break in it: they are counted there, every other rule is held.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "what talks to a server is included once for each")]
#![allow(clippy::type_complexity, reason = "tables of closures")]

mod book;
mod endings;
mod journal;
mod mysql;
mod phases;
mod plan;
mod postgres;
mod schema;
mod settings;

#[path = "../support/mod.rs"]
mod support;
