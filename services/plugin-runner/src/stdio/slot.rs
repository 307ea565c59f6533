//! The pipes of a process while somebody has them, and what becomes of them when they are not given back.

use crate::process::Pipes;
use tokio::sync::{MutexGuard, mpsc};

#[derive(Debug)]
pub(super) enum Slot {
    Down(String),
    Up(Wire),
}

/// The pipes of a running process, and the way to say that it is of no use any more.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) pipes: Pipes,
    pub(super) broken: mpsc::Sender<String>,
}

/// The pipes while a call uses them. Dropped without being given back, as when the caller was
/// cancelled in the middle, they are gone, and the supervisor is told.
pub(super) struct Lent<'a> {
    pub(super) slot: MutexGuard<'a, Slot>,
    pub(super) line: Option<Wire>,
}

impl Lent<'_> {
    pub(super) fn give_back(mut self) {
        if let Some(line) = self.line.take() {
            *self.slot = Slot::Up(line);
        }
    }

    pub(super) fn discard(mut self, why: &str) {
        self.tell(why);
    }

    fn tell(&mut self, why: &str) {
        if let Some(line) = self.line.take() {
            *self.slot = Slot::Down(why.to_owned());
            // Full means that it has been told already, closed that it is ending anyway.
            drop(line.broken.try_send(why.to_owned()));
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.tell("a request was given up in the middle");
    }
}
