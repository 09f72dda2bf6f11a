//! A proxy between a client and a server that loses or holds back the answer to one statement, whatever protocol they speak.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use url::Url;

/// What becomes of the statement that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server executes it. When its answer comes, both sides are closed.
    AnswerLost,
    /// Both sides are closed; the server never sees it.
    NeverSent,
    /// The server executes it. The answer is passed on after [`Proxy::let_go`].
    AnswerHeld,
}

/// When the text of a statement is sent, it is executed at once, or only prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    AsText,
    Prepared,
}

/// Listens on a port of its own for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: String,
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    PassesOn,
    Expects(Vec<u8>, Sent, Fate),
    /// After so many more requests, the answer to the next one is held back.
    Counts(usize),
    /// The text was prepared; what the client sends next executes it.
    Executes(Fate),
    /// The statement came by, its answer has not.
    Sent(Fate),
    /// The answer has come, and is held back.
    Answered,
    Over,
}

impl Proxy {
    pub(crate) fn in_front_of(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a URL");
        let mysql = url.scheme() == "mysql";
        let port = url.port().unwrap_or(if mysql { 3306 } else { 5432 });
        let server = (url.host_str().expect("a host").to_owned(), port);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        // What is encrypted cannot be read.
        url.query_pairs_mut()
            .append_pair(if mysql { "ssl_mode" } else { "sslmode" }, if mysql { "DISABLED" } else { "disable" });
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(listener.local_addr().expect("bound").port())).expect("a port");
        let plan = Arc::<Plan>::default();
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect((&*server.0, server.1)).expect("the server is there");
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (plan, back) = (Arc::clone(&shared), Arc::clone(&shared));
                let (from_client, to_client) = (client.try_clone().expect("a socket"), client);
                let (from_server, to_server) = (server.try_clone().expect("a socket"), server);
                thread::spawn(move || requests(&plan, from_client, to_server));
                thread::spawn(move || answers(&back, from_server, to_client));
            }
        });
        Self { url: url.into(), plan }
    }

    /// How to connect to the server through here.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next statement that contains `text` is to meet its fate.
    pub(crate) fn expect(&self, text: &str, sent: Sent, fate: Fate) {
        *self.plan.stage() = Stage::Expects(text.as_bytes().to_vec(), sent, fate);
    }

    /// The answer to one request, after so many others, is to be held back until [`let_go`](Self::let_go). A statement that is prepared
    /// first is two requests.
    pub(crate) fn hold_back_after(&self, requests: usize) {
        self.plan.set(Stage::Counts(requests));
    }

    /// Waits until the statement's answer has come from the server.
    pub(crate) fn wait_for_the_answer(&self) {
        let waited =
            self.plan.changed.wait_while(self.plan.stage(), |stage| !matches!(stage, Stage::Answered | Stage::Over));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Passes an answer on that was held back.
    pub(crate) fn let_go(&self) {
        self.plan.set(Stage::PassesOn);
    }

    /// Whether the statement has come by.
    pub(crate) fn has_met(&self) -> bool {
        matches!(*self.plan.stage(), Stage::Sent(_) | Stage::Answered | Stage::Over)
    }
}

impl Plan {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, stage: Stage) {
        *self.stage() = stage;
        self.changed.notify_all();
    }

    /// Looks at what a client sends.
    fn sees(&self, sent: &[u8]) -> Option<Fate> {
        let mut stage = self.stage();
        let (next, fate) = match &*stage {
            Stage::Counts(0) => (Stage::Sent(Fate::AnswerHeld), Some(Fate::AnswerHeld)),
            Stage::Counts(more) => {
                *stage = Stage::Counts(more - 1);
                return None;
            }
            Stage::Expects(text, how, fate) if sent.windows(text.len()).any(|part| part == text) => match how {
                Sent::AsText => (Stage::Sent(*fate), Some(*fate)),
                Sent::Prepared => (Stage::Executes(*fate), None),
            },
            Stage::Executes(fate) => (Stage::Sent(*fate), Some(*fate)),
            _ => return None,
        };
        // Of what never arrives no answer comes.
        *stage = if fate == Some(Fate::NeverSent) { Stage::Over } else { next };
        fate
    }
}

/// Passes on what the client sends, until the statement comes that must not arrive.
fn requests(plan: &Plan, mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        if plan.sees(&buffer[..length]) == Some(Fate::NeverSent) {
            break;
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}

/// Passes on what the server answers, but for the answer to the statement.
fn answers(plan: &Plan, mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        let met = match *plan.stage() {
            Stage::Sent(fate) => Some(fate),
            _ => None,
        };
        if let Some(fate) = met {
            if fate == Fate::AnswerLost {
                plan.set(Stage::Over);
                break;
            }
            plan.set(Stage::Answered);
            let held = plan.changed.wait_while(plan.stage(), |stage| matches!(stage, Stage::Answered));
            drop(held.unwrap_or_else(PoisonError::into_inner));
        }
        if client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}
