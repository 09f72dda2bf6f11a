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
//! `LimitedRowsChanged`: it gives up. With `DIESEL_LOCKSET_ATTACK_PROBE_ENDINGS=1` the session then makes the call again, in the same
//! transaction and with the locks that it holds, for the keys and the limited queries of the set, and waits up to 5 seconds (it begins
//! again as long as it gives up). A wait would have been *right* if all rows come; it would have been a *deadlock* if the call ends in one, or
//! if during the wait another session ends in one whose circle this session is in. A table at the end says how often each was so. Such a
//! session does more than to lock one set, so in such a run the rule `deadlock` is not held; phases of jobs are left out, and PostgreSQL
//! searches for a circle after 10 ms, which takes a superuser: before any timeout of a set is over that waits in it. MariaDB says who was in a
//! circle if everybody may read the file of its log.
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
