//! The signals that ask xtask to end: noted here, answered where a child is waited for.
//!
//! Polled rather than handled in a thread: the thread that waits for a child is then the only one that signals it,
//! so a signal never goes to a process id that has been given away since.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::process::ExitCode;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// The signals received so far.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pending: RefCell<Signals>,
    first: Cell<Option<Signal>>,
}

impl Interrupt {
    pub(crate) fn listen() -> std::io::Result<Self> {
        let pending = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
        Ok(Self { pending: RefCell::new(pending), first: Cell::new(None) })
    }

    /// Returns a signal that has come since the last call.
    pub(crate) fn poll(&self) -> Option<Signal> {
        let signal = self.pending.borrow_mut().pending().find_map(Signal::from_named_raw)?;
        self.first.set(self.first.get().or(Some(signal)));
        Some(signal)
    }

    /// Fails as soon as any signal has come.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        self.poll();
        self.first.get().map_or(Ok(()), |signal| Err(Interrupted { signal }))
    }
}

/// The error of a command that was told to end.
#[derive(Debug)]
pub(crate) struct Interrupted {
    signal: Signal,
}

impl Interrupted {
    /// Returns 128 + the number of the signal, as shells do.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::try_from(128 + self.signal.as_raw()).unwrap_or(u8::MAX))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.signal {
            Signal::INT => "SIGINT",
            Signal::TERM => "SIGTERM",
            Signal::HUP => "SIGHUP",
            Signal::QUIT => "SIGQUIT",
            other => return write!(f, "interrupted by signal {}", other.as_raw()),
        };
        write!(f, "interrupted by {name}")
    }
}

impl std::error::Error for Interrupted {}
