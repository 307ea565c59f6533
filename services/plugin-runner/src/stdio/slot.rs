//! The pipes of a process while somebody has them, and what becomes of them when they are not given back.

use crate::process::Pipes;
use serde_json::{Map, Value};
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
    /// What the process was configured with.
    pub(super) config: Map<String, Value>,
    /// The last change of the configurations that was looked at for it.
    pub(super) version: u64,
}

/// The pipes while a call uses them. Dropped without being given back, as when the caller was
/// cancelled in the middle, they are gone, and the supervisor is told.
pub(super) struct Lent<'a> {
    slot: MutexGuard<'a, Slot>,
    line: Option<Wire>,
}

impl<'a> Lent<'a> {
    /// Takes the pipes out of the slot.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn out_of(mut slot: MutexGuard<'a, Slot>) -> Result<Lent<'a>, String> {
        match std::mem::replace(&mut *slot, Slot::Down("it is being asked".to_owned())) {
            Slot::Up(wire) => Ok(Lent {
                slot,
                line: Some(wire),
            }),
            Slot::Down(why) => {
                *slot = Slot::Down(why.clone());
                Err(why)
            }
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        self.line
            .as_mut()
            .expect("it is there until it is given back or discarded")
    }

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
