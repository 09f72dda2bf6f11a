//! A proxy for one connection that counts how often the server answers.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crate::shared::Result;

/// Traffic between client and server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Turnarounds: the client has spoken, the server has answered.
    pub(crate) trips: u32,
    /// In both directions. Not pinned: messages and names differ from server to server.
    pub(crate) bytes: u64,
}

/// Passes on what client and server say, on a port of its own. Its threads end with the connection.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    count: Count,
    /// The client has spoken last, and waits.
    is_asked: bool,
}

impl Proxy {
    /// Listens for one client of this server.
    pub(crate) fn open(host: &str, port: u16) -> Result<Self> {
        let server =
            TcpStream::connect((host, port)).map_err(|error| format!("cannot reach {host}:{port}: {error}"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let line = Arc::new(Mutex::new(Line::default()));
        let (asked, answered) = (Arc::clone(&line), Arc::clone(&line));
        thread::spawn(move || {
            let (client, _) = listener.accept()?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || pass(from_client, to_server, |bytes| note(&asked, bytes, true)));
            pass(server, client, |bytes| note(&answered, bytes, false));
            Ok::<_, std::io::Error>(())
        });
        Ok(Proxy { port, line })
    }

    /// Returns all that was counted up to now.
    pub(crate) fn count(&self) -> Count {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

/// Counts a turnaround when the server answers: what the client only tells (MySQL's `COM_STMT_CLOSE`) is none.
fn note(line: &Mutex<Line>, bytes: usize, by_client: bool) {
    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
    line.count.bytes += bytes as u64;
    line.count.trips += u32::from(line.is_asked && !by_client);
    line.is_asked = by_client;
}

/// Notes each piece before it is passed on, so that what follows from it is noted behind it.
fn pass(mut from: TcpStream, mut to: TcpStream, note: impl Fn(usize)) {
    let mut piece = [0; 16 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut piece) {
        note(bytes);
        if to.write_all(&piece[..bytes]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_is_a_question_with_an_answer_however_many_pieces_there_are() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Proxy::open("127.0.0.1", server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        let (mut server, _) = server.accept().unwrap();
        let say = |from: &mut TcpStream, to: &mut TcpStream, text: &[u8]| {
            from.write_all(text).unwrap();
            to.read_exact(&mut vec![0; text.len()]).unwrap();
        };
        say(&mut server, &mut client, b"hello");
        assert_eq!(proxy.count(), Count { trips: 0, bytes: 5 });
        say(&mut client, &mut server, b"a");
        say(&mut client, &mut server, b"b");
        assert_eq!(proxy.count(), Count { trips: 0, bytes: 7 });
        say(&mut server, &mut client, b"c");
        say(&mut server, &mut client, b"d");
        assert_eq!(proxy.count(), Count { trips: 1, bytes: 9 });
        say(&mut client, &mut server, b"e");
        say(&mut server, &mut client, b"f");
        assert_eq!(proxy.count(), Count { trips: 2, bytes: 11 });
    }
}
