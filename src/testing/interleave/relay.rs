//! A relay between a session and the server, which can lose an answer.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::testing::server::TestBackend;

/// Passes on what one connection and the server send to each other.
pub(super) struct Relay {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Passes,
    /// The answer to the next statement is to be lost.
    Waits,
    /// The statement has come by: the next answer is lost.
    Loses,
}

impl Relay {
    /// Listens for one connection to the server of this url.
    pub(super) fn in_front_of<DB: TestBackend>(url: &str) -> io::Result<Self> {
        let [before, authority, after] = split(url).ok_or_else(|| io::Error::other("the url has no host"))?;
        let server = if has_port(authority) { authority.to_owned() } else { format!("{authority}:{}", DB::PORT) };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let option = if after.contains('?') { '&' } else { '?' };
        let url = format!("{before}127.0.0.1:{}{after}{option}{}", listener.local_addr()?.port(), DB::PLAIN);
        let state = Arc::<Mutex<State>>::default();
        let (sent, answered) = (state.clone(), state.clone());
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let Ok(server) = TcpStream::connect(server) else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
            thread::spawn(move || {
                pass(from_client, server, |request| {
                    let mut state = locked(&sent);
                    if *state == State::Waits && DB::executes(request) {
                        *state = State::Loses;
                    }
                    true
                });
            });
            pass(from_server, client, |_| *locked(&answered) != State::Loses);
        });
        Ok(Relay { url, state })
    }

    /// Returns the url of the server through the relay.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Loses the answer to the next statement when it has come, and the connection with it.
    pub(super) fn lose_answer(&self) {
        *locked(&self.state) = State::Waits;
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on what comes from one side, until it ends or a part of it must not be passed on.
fn pass(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Splits a url in front of and behind its host and port.
fn split(url: &str) -> Option<[&str; 3]> {
    let begin = url.find("://")? + 3;
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |end| begin + end);
    let begin = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    (begin < end).then(|| [&url[..begin], &url[begin..end], &url[end..]])
}

/// Returns whether a port follows the host, which may be an IPv6 address in brackets.
fn has_port(authority: &str) -> bool {
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{has_port, split};

    #[test]
    fn the_host_and_the_port_of_a_url() {
        assert_eq!(split("postgres://me:p%40@db:54/shop?x=/y"), Some(["postgres://me:p%40@", "db:54", "/shop?x=/y"]));
        assert_eq!(split("mysql://[::1]"), Some(["mysql://", "[::1]", ""]));
        assert_eq!(split("postgres:///shop?host=/run"), None);
        assert_eq!(split("host=/run"), None);
        assert!(has_port("db:54") && has_port("[::1]:54") && !has_port("[::1]") && !has_port("db"));
    }
}
