//! Counts the verbs of one kind of connection, one after the other.

use diesel::{connection::TransactionManager, prelude::*};
use url::Url;

use crate::{
    counts::{Counts, Line},
    proxy::{Count, Proxy},
    shared::{DatabaseOn, Result, Server},
};

/// A call that is counted.
pub(crate) struct Verb<C> {
    pub(crate) name: &'static str,
    /// A transaction is begun before it, and rolled back behind it; neither is counted.
    pub(crate) in_transaction: bool,
    /// The number of rows that it returns, or names in its error: a check that the call does what its name says.
    pub(crate) rows: usize,
    pub(crate) call: fn(&mut C) -> Result<usize>,
}

/// A kind of server on which verbs can be counted, with its blocking connection.
pub(crate) trait Countable: Server {
    /// The port of a server whose URL names none.
    const PORT: u16;
    /// Parameters of the URL of a connection without encryption: its negotiation may connect twice.
    const PARAMETERS: &'static [(&'static str, &'static str)];

    /// Chooses the isolation level of the session.
    const READ_COMMITTED: &str;

    /// Makes and fills the tables.
    fn make_tables(&mut self) -> Result<()>;

    /// The name of the server in the counts, and its version.
    fn server(&mut self) -> Result<(&'static str, String)>;

    fn verbs() -> Vec<Verb<Self>>;

    /// Runs `work` while another session holds the row and the name that the verbs called `.., held` want.
    fn while_others_hold<R>(database: &DatabaseOn<Self>, work: impl FnOnce() -> Result<R>) -> Result<R>;
}

/// A kind of connection whose verbs can be counted.
pub(crate) trait Face: Sized {
    type Server: Countable;

    /// What follows the name of the server in the counts.
    const SUFFIX: &'static str;
    /// Parameters of the URL of a connection that connects once, over TCP: the negotiation of encryption may connect twice.
    const PARAMETERS: &'static [(&'static str, &'static str)];

    fn open(url: &str) -> Result<Self>;
    fn send(&mut self, text: &str) -> QueryResult<()>;
    fn begin(&mut self) -> QueryResult<()>;
    fn roll_back(&mut self) -> QueryResult<()>;

    fn verbs() -> Vec<Verb<Self>>;
}

impl<C: Countable> Face for C {
    type Server = C;

    const SUFFIX: &'static str = "";
    const PARAMETERS: &'static [(&'static str, &'static str)] = <C as Countable>::PARAMETERS;

    fn open(url: &str) -> Result<Self> {
        Ok(C::establish(url)?)
    }

    fn send(&mut self, text: &str) -> QueryResult<()> {
        self.batch_execute(text)
    }

    fn begin(&mut self) -> QueryResult<()> {
        C::TransactionManager::begin_transaction(self)
    }

    fn roll_back(&mut self) -> QueryResult<()> {
        C::TransactionManager::rollback_transaction(self)
    }

    fn verbs() -> Vec<Verb<Self>> {
        <C as Countable>::verbs()
    }
}

/// Calls of a verb on one connection: the first is cold, the others are warm.
const CALLS: usize = 4;

pub(crate) fn count<F: Face>() -> Result<Counts> {
    let database = DatabaseOn::<F::Server>::create("bench_trips")?;
    let conn = &mut database.connect()?;
    conn.make_tables()?;
    let (server, version) = conn.server()?;
    let count = |verb: &Verb<F>| {
        count_verb(&database, verb).map_err(|error| format!("{server}{}: {}: {error}", F::SUFFIX, verb.name).into())
    };
    let lines = F::Server::while_others_hold(&database, || F::verbs().iter().map(count).collect())?;
    Ok(Counts { server: format!("{server}{}", F::SUFFIX), version, lines })
}

fn count_verb<F: Face>(database: &DatabaseOn<F::Server>, verb: &Verb<F>) -> Result<Line> {
    let (conn, proxy) = &mut connect(database)?;
    let counts = (0..CALLS).map(|_| count_call(conn, proxy, verb)).collect::<Result<Vec<_>>>()?;
    let trips: Vec<u32> = counts.iter().map(|count| count.trips).collect();
    if trips[1..].iter().any(|warm| *warm != trips[1]) {
        return Err(format!("not the same count in every call after the first: {trips:?}").into());
    }
    Ok(Line { verb: verb.name.to_owned(), cold: counts[0], warm: counts[CALLS - 1] })
}

/// Connects through a proxy of its own, so that what is left of the connection before is not counted here.
fn connect<F: Face>(database: &DatabaseOn<F::Server>) -> Result<(F, Proxy)> {
    let (variable, default) = (F::Server::VARIABLE, F::Server::PORT);
    let mut url = Url::parse(&database.url())?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(format!("only round trips over TCP are counted, and {variable} names no host").into());
    };
    let proxy = Proxy::open(host, url.port().unwrap_or(default))?;
    if !F::PARAMETERS.is_empty() {
        url.query_pairs_mut().extend_pairs(F::PARAMETERS);
    }
    if url.set_host(Some("127.0.0.1")).is_err() || url.set_port(Some(proxy.port)).is_err() {
        return Err(format!("the URL of {variable} cannot be pointed at the proxy").into());
    }
    let mut conn = F::open(url.as_str())?;
    // A join is answered at this level only.
    conn.send(F::Server::READ_COMMITTED)?;
    Ok((conn, proxy))
}

fn count_call<F: Face>(conn: &mut F, proxy: &Proxy, verb: &Verb<F>) -> Result<Count> {
    // What is sent without waiting for an answer has gone through the proxy when the next ping is answered, and not before.
    ping(conn);
    let ping = counted(proxy, || ping(conn));
    if ping.trips == 0 {
        return Err("the connection does not go through the proxy".into());
    }
    if verb.in_transaction {
        conn.begin()?;
    }
    let mut rows = Ok(0);
    let both = counted(proxy, || {
        rows = (verb.call)(conn);
        self::ping(conn);
    });
    if verb.in_transaction {
        conn.roll_back()?;
    }
    match rows? {
        rows if rows == verb.rows => Ok(Count { trips: both.trips - ping.trips, bytes: both.bytes - ping.bytes }),
        rows => Err(format!("{rows} rows instead of {}", verb.rows).into()),
    }
}

fn counted(proxy: &Proxy, work: impl FnOnce()) -> Count {
    let before = proxy.count();
    work();
    let after = proxy.count();
    Count { trips: after.trips - before.trips, bytes: after.bytes - before.bytes }
}

/// Has an answer in an aborted transaction too, if not this one.
fn ping<F: Face>(conn: &mut F) {
    let _ = conn.send("SELECT 1");
}
