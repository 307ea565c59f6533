//! The pipes of a process while somebody has them, and what becomes of them when they are not given back.

use super::turns::{GivesWay, Turn};
use crate::pipes::Pipes;
use serde_json::{Map, Value};
use std::sync::{Mutex, PoisonError};
use tokio::sync::mpsc;

#[derive(Debug)]
pub(super) enum Slot {
    /// There are no pipes, for this reason.
    Down(String),
    Up(Wire),
}

/// Why a process is of no use any more.
#[derive(Debug)]
pub(super) enum Break {
    /// It failed.
    Failed(String),
    /// It was taken from its work for what is more urgent, which is no failure of its own.
    GaveWay(String),
}

/// The pipes of a running process, and the way to say that it is of no use any more.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) pipes: Pipes,
    pub(super) broken: mpsc::Sender<Break>,
    /// What the process was configured with.
    pub(super) config: Map<String, Value>,
    /// The last change of the configurations that was looked at for it.
    pub(super) version: u64,
}

/// The pipes while a call uses them. Dropped without being given back, as when the caller was
/// cancelled in the middle, they are gone, and the supervisor is told.
pub(super) struct Lent<'a> {
    slot: &'a Mutex<Slot>,
    line: Option<Wire>,
    /// Dropped last: the slot is in order before the next one has its turn.
    turn: Turn,
}

impl<'a> Lent<'a> {
    /// Takes the pipes out of the slot, by whoever has the turn.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn out_of(slot: &'a Mutex<Slot>, turn: Turn) -> Result<Lent<'a>, String> {
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *held, Slot::Down("it is being asked".to_owned())) {
            Slot::Up(wire) => Ok(Lent {
                slot,
                line: Some(wire),
                turn,
            }),
            Slot::Down(why) => {
                *held = Slot::Down(why.clone());
                Err(why)
            }
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        self.line
            .as_mut()
            .expect("it is there until it is given back or discarded")
    }

    /// Set once whoever has the pipes is to give them up for what is more urgent.
    pub(super) fn gives_way(&self) -> GivesWay {
        self.turn.gives_way()
    }

    pub(super) fn give_back(mut self) {
        if let Some(line) = self.line.take() {
            self.put(Slot::Up(line));
        }
    }

    pub(super) fn discard(mut self, why: &str) {
        self.tell(why, Break::Failed);
    }

    /// Gives them up for what is more urgent: nobody knows what the process would answer, and another one is started.
    pub(super) fn give_way(mut self, why: &str) {
        self.tell(why, Break::GaveWay);
    }

    /// Closes the pipes without a complaint: the process is to end, and nobody is to ask it any more.
    pub(super) fn close(mut self, why: &str) {
        self.line = None;
        self.put(Slot::Down(why.to_owned()));
    }

    fn put(&self, slot: Slot) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }

    fn tell(&mut self, why: &str, said: fn(String) -> Break) {
        if let Some(line) = self.line.take() {
            self.put(Slot::Down(why.to_owned()));
            // Full means that it has been told already, closed that it is ending anyway.
            drop(line.broken.try_send(said(why.to_owned())));
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.tell("a request was given up in the middle", Break::Failed);
    }
}
